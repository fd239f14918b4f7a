"""Verbs on custom roles: names for sets of permissions. Nobody makes a role with what they lack."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from foundation.access.models import Grant, Role, permissions_on
from foundation.access.roles import ROLES, Permission
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.step_up import require_fresh
from foundation.inputs import checked_optional, checked_slug, checked_text, organisation_of, refuse_agent

MOST = 100  # custom roles of one organisation
_NAMES = frozenset(one.value for one in Permission)


@transaction.atomic
def create_role(*, actor: Actor, slug: str, name: str, permissions: Iterable[str], description: str = "") -> Role:
    """A role of named permissions, to be granted like a built-in one. Its short name is for ever."""
    refuse_agent(actor)
    organisation = organisation_of(actor)
    if checked_slug(slug) in ROLES:
        raise InvalidError(f"{slug} is a built-in role: choose another short name.", "slug")
    if Role.objects.filter(organisation_id=organisation).count() >= MOST:
        raise InvalidError(f"There are {MOST} custom roles already: delete one that nobody uses.")
    held = _checked(actor, permissions)
    try:
        with transaction.atomic():
            role = Role.objects.create(
                organisation_id=organisation, slug=slug, name=checked_text(name, 120), permissions=sorted(held),
                description=checked_optional(description, 300, "description"),
            )  # fmt: skip
    except IntegrityError as error:
        raise ConflictError(f"There is a role {slug} already: choose another short name.") from error
    record(_about(actor, "role.create", role))
    return role


@transaction.atomic
def change_role(
    *,
    actor: Actor,
    role: Role,
    name: str | None = None,
    description: str | None = None,
    permissions: Iterable[str] | None = None,
) -> Role:
    """Everybody who has been granted it may do what it holds from now on. Nobody adds, nor takes, what they lack."""
    refuse_agent(actor)
    role = Role.objects.select_for_update(no_key=True).get(pk=role.pk)
    if name is not None:
        role.name = checked_text(name, 120)
    if description is not None:
        role.description = checked_optional(description, 300, "description")
    before = frozenset(role.permissions)
    if permissions is not None:
        wanted = _known(permissions)
        _checked(actor, wanted ^ before, empty=True)
        if Permission.GRANT_MANAGE in wanted ^ before:
            require_fresh(actor)  # from now on, or no longer, a role that gives roles
        role.permissions = sorted(wanted)
    role.save(update_fields=["name", "description", "permissions"])
    after = frozenset(role.permissions)
    record(_about(actor, "role.change", role, added=sorted(after - before), removed=sorted(before - after)))
    return role


@transaction.atomic
def delete_role(*, actor: Actor, role: Role) -> None:
    """Only a role that nobody has been granted goes.

    Doors call `foundation.invitations.roles.remove_role`, which looks at invitations, too.
    """
    refuse_agent(actor)
    role = Role.objects.select_for_update(no_key=True).get(pk=role.pk)
    used = Grant.objects.filter(custom_role=role).count()
    if used:
        many = f"{used} grants of {role.name} stand: withdraw them first."
        raise ConflictError(f"A grant of {role.name} stands: withdraw it first." if used == 1 else many)
    record(_about(actor, "role.delete", role))
    role.delete()


def _known(permissions: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(map(str, permissions))
    if unknown := wanted - _NAMES:
        raise InvalidError(f"There is no permission {min(unknown)!r}: see the list of roles.", "permissions")
    if not wanted:
        raise InvalidError("A role without a permission is none: name at least one.", "permissions")
    return wanted


def _checked(actor: Actor, permissions: Iterable[str], *, empty: bool = False) -> frozenset[str]:
    wanted = frozenset(permissions)
    if not (empty and not wanted):
        wanted = _known(wanted)
    lacking = wanted - permissions_on(actor, organisation_of(actor))
    if lacking:
        message = f"You lack {min(lacking)} in the organisation, so you cannot make a role of it."
        raise LackingError(message, lacking, "permissions")
    return wanted


def _about(actor: Actor, action: str, role: Role, **more: object) -> Entry:
    return entry(
        actor, action, target_kind="role", target_id=role.id, target_name=role.name,
        details={"slug": role.slug, "permissions": role.permissions, **more},
    )  # fmt: skip
