"""Verbs of a directory: people and groups come, change and go as it says."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from scim2_models import Resource

from foundation.access.people import end_grants, stop_person
from foundation.access.strength import refuse_stronger
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.delegation.leaving import leave_for_good
from foundation.errors import ConflictError, InvalidError
from foundation.identity.lookups import invite_user
from foundation.identity.models import GroupMember, Membership, Principal, PrincipalKind, PrincipalState
from foundation.identity.services import restore_principal
from foundation.inputs import checked_text, refuse_agent
from foundation.provisioning.models import ProvisionedResource
from foundation.provisioning.people import address_of, attributes_of, external_id_of, name_of, user_name_of
from foundation.provisioning.rows import people
from foundation.provisioning.schemas import Group, User

_USER, _GROUP = ProvisionedResource.Kind.USER, ProvisionedResource.Kind.GROUP
_SYNCHRONISED = "The directory says so."


class TakenError(ConflictError):
    """A name that must be unique belongs to somebody else."""


@transaction.atomic
def provision_person(*, actor: Actor, organisation: UUID, user: User) -> Principal:
    """A new person; without an address of mail it cannot sign in until the directory gives one."""
    refuse_agent(actor)
    state = PrincipalState.SUSPENDED if user.active is False else PrincipalState.ACTIVE
    principal = Principal.objects.create(
        organisation_id=organisation, kind=PrincipalKind.PERSON, name=name_of(user), state=state, directory=True
    )
    _keep(principal, _USER, user, user_name_of(user))
    _join(actor, principal, address_of(user))
    record(_about(actor, "person.add", principal, source="scim", active=state == PrincipalState.ACTIVE))
    return principal


@transaction.atomic
def change_provisioned_person(*, actor: Actor, principal: Principal, user: User) -> Principal:
    """As the directory says now. A person who was added by hand is the directory's from now on."""
    refuse_agent(actor)
    found = Principal.objects.select_for_update().get(pk=principal.pk)
    former, adopted = found.name, not found.directory
    found.name, found.directory = name_of(user), True
    found.save(update_fields=["name", "directory"])
    _keep(found, _USER, user, user_name_of(user))
    _join(actor, found, address_of(user))
    active = user.active is not False
    if active and found.state == PrincipalState.SUSPENDED:
        found = restore_principal(actor=actor, principal=found, by_directory=True)
    elif not active and found.state == PrincipalState.ACTIVE:
        found = stop_person(actor=actor, principal=found, reason=_SYNCHRONISED)
    record(_about(actor, "person.change", found, source="scim", former=former, adopted=adopted))
    return found


@transaction.atomic
def remove_provisioned_person(*, actor: Actor, principal: Principal) -> None:
    """The person leaves."""
    ProvisionedResource.objects.filter(principal=principal).delete()
    record(_about(actor, "person.remove", principal, source="scim"))
    leave_for_good(actor=actor, principal=principal, reason=_SYNCHRONISED, by_directory=True)


@transaction.atomic
def provision_group(*, actor: Actor, organisation: UUID, group: Group) -> Principal:
    """A new group; it may do nothing until somebody grants it a role here."""
    refuse_agent(actor)
    principal = Principal.objects.create(
        organisation_id=organisation, kind=PrincipalKind.GROUP, name=_group_name(group), directory=True
    )
    _keep(principal, _GROUP, group)
    record(_about(actor, "group.create", principal, source="scim"))
    _seat(actor, principal, _members_of(principal.organisation_id, group))
    return principal


@transaction.atomic
def change_provisioned_group(*, actor: Actor, principal: Principal, group: Group) -> Principal:
    """As the directory says now. Nobody seats others where more may be done than they hold themselves."""
    refuse_agent(actor)
    found = Principal.objects.select_for_update().get(pk=principal.pk)
    former, found.name = found.name, _group_name(group)
    if found.name != former:
        found.save(update_fields=["name"])
        record(_about(actor, "group.rename", found, source="scim", former=former))
    _keep(found, _GROUP, group)
    _seat(actor, found, _members_of(found.organisation_id, group))
    return found


@transaction.atomic
def remove_provisioned_group(*, actor: Actor, principal: Principal) -> None:
    """Its members lose what they held through it."""
    refuse_agent(actor)
    found = Principal.objects.select_for_update().get(pk=principal.pk)
    members, _ = GroupMember.objects.filter(group=found).delete()
    grants = end_grants(actor, found)
    ProvisionedResource.objects.filter(principal=found).delete()
    found.state = PrincipalState.LEFT
    found.save(update_fields=["state"])
    record(*grants, _about(actor, "group.end", found, source="scim", members=members, grants=len(grants)))


def _keep(principal: Principal, kind: str, resource: Resource[Any], user_name: str = "") -> None:
    external = external_id_of(resource)
    others = ProvisionedResource.objects.filter(organisation_id=principal.organisation_id, kind=kind)
    others = others.exclude(principal=principal)
    if external and others.filter(external_id=external).exists():
        raise TakenError(f"The externalId {external!r} belongs to another {kind}.")
    if user_name and others.filter(user_name__iexact=user_name).exists():
        raise TakenError(f"The userName {user_name!r} belongs to another person.")
    ProvisionedResource.objects.update_or_create(
        principal=principal,
        defaults={
            "organisation_id": principal.organisation_id,
            "kind": kind,
            "external_id": external,
            "user_name": user_name,
            "attributes": attributes_of(resource),
        },
    )


def _join(actor: Actor, principal: Principal, address: str) -> None:
    # Once joined, the address of sign-in does not follow the directory: the user may belong to other organisations.
    if not address or Membership.objects.filter(principal=principal).exists():
        return
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidError(f"{address!r} is no e-mail address: give one such as name@example.org.", "emails") from error
    # Whose address it is will be that person: no directory becomes stronger than it is through somebody else.
    refuse_stronger(actor, principal, narrowed=False)
    user = invite_user(address, principal.name[:120])
    if Membership.objects.filter(organisation_id=principal.organisation_id, user_id=user).exists():
        raise TakenError(f"{address} belongs to another person of this organisation.")
    Membership.objects.create(organisation_id=principal.organisation_id, user_id=user, principal=principal)


def _group_name(group: Group) -> str:
    return checked_text(group.display_name or "", 160, "displayName")


def _members_of(organisation: UUID, group: Group) -> set[UUID]:
    wanted = {_identifier(one.value) for one in group.members or []}
    found = set(people(organisation).filter(id__in=wanted).values_list("id", flat=True))
    if lacking := wanted - found:
        raise InvalidError(f"There is no person {min(lacking)} here: only people are members of a group.", "members")
    return found


def _seat(actor: Actor, group: Principal, wanted: Iterable[UUID]) -> None:
    held = dict(GroupMember.objects.filter(group=group).values_list("member_id", "source"))
    kept = {member for member, source in held.items() if source == GroupMember.Source.SCIM}
    coming, going = set(wanted) - kept, kept - set(wanted)
    if coming:
        refuse_stronger(actor, group, narrowed=False)
    GroupMember.objects.filter(group=group, member_id__in=going).delete()
    GroupMember.objects.filter(group=group, member_id__in=coming & held.keys()).update(source=GroupMember.Source.SCIM)
    GroupMember.objects.bulk_create(
        GroupMember(organisation_id=group.organisation_id, group=group, member_id=one, source=GroupMember.Source.SCIM)
        for one in sorted(coming - held.keys())
    )
    names = dict(Principal.objects.filter(id__in=coming | going).values_list("id", "name"))
    record(
        *(
            _about(actor, action, group, source="scim", member=one, member_name=names[one])
            for action, some in (("group.add_member", coming), ("group.remove_member", going))
            for one in sorted(some)
        )
    )


def _identifier(value: str | None) -> UUID:
    try:
        return UUID(value or "")
    except ValueError:
        raise InvalidError(f"{value!r} is no id of a person.", "members") from None


def _about(actor: Actor, action: str, principal: Principal, **details: object) -> Entry:
    return entry(
        actor,
        action,
        target_kind=principal.kind,
        target_id=principal.id,
        target_name=principal.name,
        details=details,
    )
