"""Rows as SCIM resources: what the directory wrote, and over it what holds here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from scim2_models import Meta, Resource

from foundation.digests import digest_of
from foundation.identity.models import GroupMember, Membership, Principal, PrincipalKind, PrincipalState
from foundation.provisioning.models import ProvisionedResource
from foundation.provisioning.schemas import Group, User

R = TypeVar("R", User, Group)
Values = dict[str, Any]


def people(organisation: UUID) -> QuerySet[Principal]:
    """Everybody who has not left, whether a directory keeps them or not."""
    there = Principal.objects.filter(organisation_id=organisation, kind=PrincipalKind.PERSON)
    return there.exclude(state=PrincipalState.LEFT).order_by("id")


def groups(organisation: UUID) -> QuerySet[Principal]:
    """The groups that a directory keeps; those made by hand are not its business."""
    there = Principal.objects.filter(organisation_id=organisation, kind=PrincipalKind.GROUP, directory=True)
    return there.exclude(state=PrincipalState.LEFT).order_by("id")


def as_users(principals: Iterable[Principal]) -> list[User]:
    """People as resources, in the same order: four queries, however many."""
    rows = list(principals)
    ids = [row.id for row in rows]
    kept = _kept(ids)
    addresses = dict(Membership.objects.filter(principal_id__in=ids).values_list("principal_id", "user__email"))
    seats: dict[UUID, list[Values]] = {}
    held = GroupMember.objects.filter(member_id__in=ids, group__directory=True).select_related("group")
    for seat in held.order_by("group_id"):
        seats.setdefault(seat.member_id, []).append(
            {"value": str(seat.group_id), "$ref": f"Groups/{seat.group_id}", "display": seat.group.name,
             "type": "direct"}
        )  # fmt: skip
    return [_user(row, kept.get(row.id), addresses.get(row.id, ""), seats.get(row.id, [])) for row in rows]


def as_groups(principals: Iterable[Principal]) -> list[Group]:
    """Groups as resources, in the same order: three queries, however many."""
    rows = list(principals)
    ids = [row.id for row in rows]
    kept = _kept(ids)
    seats: dict[UUID, list[Values]] = {}
    held = GroupMember.objects.filter(group_id__in=ids, source=GroupMember.Source.SCIM)
    for seat in held.order_by("member_id"):
        seats.setdefault(seat.group_id, []).append(
            {"value": str(seat.member_id), "$ref": f"Users/{seat.member_id}", "type": "User"}
        )
    return [_group(row, kept.get(row.id), seats.get(row.id, [])) for row in rows]


def _user(row: Principal, kept: ProvisionedResource | None, address: str, seats: list[Values]) -> User:
    values: Values = dict(kept.attributes) if kept else _by_hand(row, address)
    active = row.state == PrincipalState.ACTIVE
    if values.get("active", True) is not active:
        values["active"] = active
    return _made(User, row, kept, values | ({"groups": seats} if seats else {}))


def _group(row: Principal, kept: ProvisionedResource | None, seats: list[Values]) -> Group:
    values: Values = dict(kept.attributes) if kept else {}
    values["displayName"] = row.name
    return _made(Group, row, kept, values | ({"members": seats} if seats else {}))


def _by_hand(row: Principal, address: str) -> Values:
    values: Values = {"userName": address or str(row.id), "displayName": row.name, "active": True}
    return values | ({"emails": [{"value": address, "primary": True}]} if address else {})


def _made(model: type[R], row: Principal, kept: ProvisionedResource | None, values: Values) -> R:
    values |= {"schemas": [str(model.__schema__)], "id": str(row.id)}
    resource = model.model_validate(values)
    resource.meta = _meta(resource, model.__name__, row.created_at, kept.modified_at if kept else row.created_at)
    return resource


def _meta(resource: Resource[Any], kind: str, created: datetime, modified: datetime) -> Meta:
    # Whatever changes a resource, a hand or another resource, changes its version: it is a digest of it all.
    version = digest_of(resource.model_dump(mode="json")).partition(":")[2][:32]
    return Meta(resource_type=kind, created=created, last_modified=modified, version=f'W/"{version}"')


def _kept(ids: list[UUID]) -> dict[UUID, ProvisionedResource]:
    return {one.principal_id: one for one in ProvisionedResource.objects.filter(principal_id__in=ids)}
