"""Verbs on grants. Nobody gives, or takes away, more than they hold themselves."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from foundation.access.models import Grant, GrantQuerySet, Role, held_by
from foundation.access.roles import ROLES, Permission
from foundation.access.strength import lacking
from foundation.actors import Actor, ActorKind
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.models import GroupMember, Principal, PrincipalKind, PrincipalState
from foundation.identity.step_up import require_fresh
from foundation.inputs import checked_optional, refuse_agent
from foundation.organisations.models import GrantTarget, Organisation

ADMINISTRATOR = "administrator"


@transaction.atomic
def grant(
    *,
    actor: Actor,
    principal: Principal,
    role: str,
    target: GrantTarget,
    expires_at: datetime | None = None,
    reason: str = "",
) -> Grant:
    """Give a role on an organisation, a team or an agent, and on all below it. An expired grant is renewed.

    `role` is the short name of a built-in or custom role. Given to a group, it counts for each of its members.
    """
    refuse_agent(actor)
    custom = _role_named(role, target.organisation_id)
    _refuse(actor, role, held_by(role, custom), target, principal)
    reason = checked_optional(reason, 300, "reason")
    if principal.kind == PrincipalKind.AGENT:
        raise InvalidError("An agent gets no role: policies say what it may do.", "principal")
    if principal.state != PrincipalState.ACTIVE:
        raise InvalidError(f"{principal.name} is {principal.state}: restore it first.", "principal")
    if principal.organisation_id != target.organisation_id:
        raise InvalidError("The principal and the target belong to different organisations.", "target")
    given = _renew(principal, role, target, expires_at, reason) or Grant.objects.create(
        organisation_id=target.organisation_id,
        principal=principal,
        role=role,
        custom_role=custom,
        target=target,
        expires_at=expires_at,
        reason=reason,
    )
    if not Grant.objects.live().filter(pk=given.pk).exists():
        raise InvalidError("The grant would have expired already: choose a later day.", "expires_at")
    record(_about(actor, "grant.give", given))
    return given


@transaction.atomic
def withdraw(*, actor: Actor, grant: Grant) -> None:
    """Take a role away. The last administrator of an organisation stays."""
    # Whoever withdraws an administrator waits here for whoever else does, so that two cannot take the last two away.
    Organisation.objects.select_for_update(no_key=True).get(pk=grant.organisation_id)
    found = Grant.objects.select_related("principal", "target", "custom_role").filter(pk=grant.pk).first()
    if found is None:
        raise ConflictError("The grant is withdrawn already.")
    _refuse(actor, found.role, found.permissions, found.target, found.principal)
    if found.role == ADMINISTRATOR and not administrators(found.organisation_id).exclude(pk=found.pk).exists():
        raise InvalidError("This is the last administrator of the organisation: name another one first.")
    record(_about(actor, "grant.withdraw", found))
    found.delete()


def administrators(organisation_id: UUID, using: str = "default") -> GrantQuerySet:
    """The grants of active people that administer the whole organisation without an end."""
    return Grant.objects.using(using).filter(
        organisation_id=organisation_id,
        target_id=organisation_id,
        role=ADMINISTRATOR,
        expires_at=None,
        principal__kind=PrincipalKind.PERSON,
        principal__state=PrincipalState.ACTIVE,
    )


def _role_named(slug: str, organisation_id: UUID) -> Role | None:
    """The custom role of this short name, or None for a built-in one. Raises InvalidError for what is neither."""
    if slug in ROLES:
        return None
    own = {role.slug: role for role in Role.objects.filter(organisation_id=organisation_id)}
    if slug not in own:
        raise InvalidError(f"There is no role {slug!r}: use one of {', '.join([*ROLES, *sorted(own)])}.", "role")
    return own[slug]


def _refuse(actor: Actor, role: str, held: frozenset[str], target: GrantTarget, principal: Principal) -> None:
    refuse_agent(actor)
    if missing := lacking(actor, held, target.id, for_another=not _is_self(actor, principal)):
        message = f"The role {role} may do what you may not on {target.name} ({min(missing)})."
        raise LackingError(message, missing, "role")
    if Permission.GRANT_MANAGE in held:
        require_fresh(actor)  # a role that gives roles


def _is_self(actor: Actor, principal: Principal) -> bool:
    if actor.kind is ActorKind.SYSTEM:
        return False
    return (
        principal.id == actor.principal
        or GroupMember.objects.filter(group_id=principal.id, member_id=actor.principal).exists()
    )


def _renew(
    principal: Principal, role: str, target: GrantTarget, expires_at: datetime | None, reason: str
) -> Grant | None:
    former = Grant.objects.select_for_update(no_key=True).filter(principal=principal, role=role, target=target).first()
    if former is None:
        return None
    if Grant.objects.live().filter(pk=former.pk).exists():
        raise ConflictError(f"{principal.name} is {role} on {target.name} already.")
    former.expires_at, former.reason = expires_at, reason
    former.save(update_fields=["expires_at", "reason"])
    return former


def _about(actor: Actor, action: str, given: Grant) -> Entry:
    return entry(
        actor,
        action,
        target_kind=given.target.kind,
        target_id=given.target_id,
        target_name=given.target.name,
        reason=given.reason,
        details={
            "grant": given.id,
            "principal": given.principal_id,
            "principal_name": given.principal.name,
            "role": given.role,
            "permissions": sorted(given.permissions) if given.custom_role else None,
            "expires_at": given.expires_at,
        },
    )
