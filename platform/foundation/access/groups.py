"""Verbs on groups: people and services together, who hold what their group is granted."""

from uuid import UUID

from django.db import transaction

from foundation.access.models import Grant
from foundation.access.roles import Permission
from foundation.access.strength import refuse_stronger
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import GroupMember, Principal, PrincipalKind, PrincipalState
from foundation.identity.step_up import require_fresh
from foundation.inputs import checked_text, organisation_of, refuse_agent

LOCAL = GroupMember.Source.LOCAL


@transaction.atomic
def create_group(*, actor: Actor, name: str) -> Principal:
    """A group without members and without any role."""
    refuse_agent(actor)
    name = checked_text(name, 160)
    organisation = organisation_of(actor)
    if _named(organisation, name):
        raise ConflictError(f"There is a group {name} already: choose another name.")
    group = Principal.objects.create(organisation_id=organisation, kind=PrincipalKind.GROUP, name=name)
    record(_about(actor, "group.create", group))
    return group


@transaction.atomic
def rename_group(*, actor: Actor, group: Principal, name: str) -> Principal:
    """Only its name changes."""
    found = _locked(actor, group)
    former, name = found.name, checked_text(name, 160)
    if name != former and _named(found.organisation_id, name):
        raise ConflictError(f"There is a group {name} already: choose another name.")
    found.name = name
    found.save(update_fields=["name"])
    record(_about(actor, "group.rename", found, former=former))
    return found


@transaction.atomic
def end_group(*, actor: Actor, group: Principal) -> Principal:
    """For good: its members leave it, its grants must have been withdrawn before."""
    found = _locked(actor, group)
    if grants := Grant.objects.filter(principal=found).count():
        raise ConflictError(f"{found.name} still holds {grants} grant{'s' if grants > 1 else ''}: withdraw them first.")
    if GroupMember.objects.filter(group=found).exclude(source=LOCAL).exists():
        raise ConflictError(f"A directory keeps members in {found.name}: take them out there first.")
    members, _ = GroupMember.objects.filter(group=found).delete()
    found.state = PrincipalState.LEFT
    found.save(update_fields=["state"])
    record(_about(actor, "group.end", found, members=members))
    return found


@transaction.atomic
def add_member(*, actor: Actor, group: Principal, member: Principal, source: str = LOCAL) -> GroupMember:
    """From now on, what the group is granted counts for this person or service too."""
    found = _locked(actor, group, by_source=source != LOCAL)
    if member.organisation_id != found.organisation_id:
        raise InvalidError("The group and the member belong to different organisations.", "member")
    if member.kind not in {PrincipalKind.PERSON, PrincipalKind.SERVICE}:
        raise InvalidError("Only people and services are members of a group: groups do not nest.", "member")
    if member.state == PrincipalState.LEFT:
        raise InvalidError(f"{member.name} has left: nobody who has left joins a group.", "member")
    if GroupMember.objects.filter(group=found, member=member).exists():
        raise ConflictError(f"{member.name} is in {found.name} already.")
    if source == LOCAL:
        # Nobody gives by a seat in a group what they could not give by a grant.
        refuse_stronger(actor, found, for_another=member.id != actor.principal, field="member")
        _require_fresh(actor, found)
    made = GroupMember.objects.create(
        organisation_id=found.organisation_id, group=found, member=member, source=source
    )  # fmt: skip
    record(_about(actor, "group.add_member", found, member=member.id, member_name=member.name, source=source))
    return made


@transaction.atomic
def remove_member(*, actor: Actor, membership: GroupMember, source: str = LOCAL) -> None:
    """Only who put somebody into a group takes them out: by hand what was put in by hand."""
    group = _locked(actor, membership.group, by_source=source != LOCAL)
    found = GroupMember.objects.select_related("member").filter(pk=membership.pk).first()
    if found is None:
        raise ConflictError("This member is out of the group already.")
    if found.source != source:
        raise ConflictError(f"A directory keeps {found.member.name} in {group.name}: take it out there.")
    if source == LOCAL:
        _require_fresh(actor, group)
    record(_about(actor, "group.remove_member", group, member=found.member_id, member_name=found.member.name))
    found.delete()


def _locked(actor: Actor, group: Principal, *, by_source: bool = False) -> Principal:
    refuse_agent(actor)
    found = Principal.objects.select_for_update(no_key=True).get(pk=group.pk)
    if found.kind != PrincipalKind.GROUP:
        raise InvalidError(f"{found.name} is no group.")
    if found.state == PrincipalState.LEFT:
        raise ConflictError(f"The group {found.name} has ended.")
    if found.directory and not by_source:
        raise ConflictError(f"A directory keeps {found.name} over SCIM: change it there.")
    return found


def _require_fresh(actor: Actor, group: Principal) -> None:
    """A seat gives, and takes, what the group is granted: where this gives roles, it is as dangerous as a grant."""
    if Grant.objects.live().filter(principal=group).holding(Permission.GRANT_MANAGE).exists():
        require_fresh(actor)


def _named(organisation: UUID, name: str) -> bool:
    groups = Principal.objects.filter(organisation_id=organisation, kind=PrincipalKind.GROUP, name=name)
    return groups.exclude(state=PrincipalState.LEFT).exists()


def _about(actor: Actor, action: str, group: Principal, **details: object) -> Entry:
    return entry(actor, action, target_kind="group", target_id=group.id, target_name=group.name, details=details)
