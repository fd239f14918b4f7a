"""Groups of people and services: what a group is granted, each of its members holds."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from console.api.grants import PrincipalName
from foundation.access.groups import add_member, create_group, end_group, remove_member, rename_group
from foundation.access.guards import UnknownError, find_principal
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from foundation.api.wide import WideQuerySet
from foundation.identity.models import GroupMember, Principal, PrincipalKind


class GroupShape(Shape):
    """A group; the id is that of the principal that grants are given to."""

    class Meta:
        model = Principal
        fields = ["id", "name", "state", "directory", "created_at"]


class GroupMemberShape(Shape):
    """`source` says who put the member in, and so who takes it out: people here, or a directory."""

    member = PrincipalName()

    class Meta:
        model = GroupMember
        fields = ["id", "member", "source", "created_at"]


class NameGroup(Body):
    """A name that no other group has."""

    name = serializers.CharField(max_length=160)


class ChooseMember(Body):
    """A person or a service, by id."""

    member = serializers.UUIDField()


class GroupEndpoints(Read):
    """Groups, and who is in them."""

    rows: ClassVar[WideQuerySet[Principal]] = WideQuerySet(Principal).filter(kind=PrincipalKind.GROUP)
    shape = GroupShape
    permission = Permission.PERSON_VIEW
    filterset_fields = ["state"]

    @operation("Create a group", Permission.PERSON_MANAGE, body=NameGroup, status=201)
    def create(self, values: Any) -> Principal:
        """Without members, and without any role."""
        self.require()
        return create_group(actor=self.actor, **values)

    @operation("Rename a group", Permission.PERSON_MANAGE, body=NameGroup)
    def partial_update(self, values: Any) -> Principal:
        """Its grants and members stay."""
        return rename_group(actor=self.actor, group=self.get_object(), **values)

    @operation("End a group that holds no grant", Permission.PERSON_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """Its members leave it."""
        end_group(actor=self.actor, group=self.get_object())

    @verb("get", "members", "List the members of a group", Permission.PERSON_VIEW, answer=GroupMemberShape, many=True)
    def members(self, _values: Any) -> Any:
        """People and services."""
        return GroupMember.objects.filter(group=self.get_object()).select_related("member")

    @verb("post", "add", "Put a person or service into a group", Permission.PERSON_MANAGE, body=ChooseMember,
          answer=GroupMemberShape)  # fmt: skip
    def add(self, values: Any) -> GroupMember:
        """It holds what the group is granted from now on: no more than you hold yourself."""
        member = find_principal(values["member"])
        return add_member(actor=self.actor, group=self.get_object(), member=member)

    @verb("post", "remove", "Take a member out of a group", Permission.PERSON_MANAGE, body=ChooseMember)
    def remove(self, values: Any) -> Principal:
        """Whom a directory has put in, it takes out itself."""
        group: Principal = self.get_object()
        remove_member(actor=self.actor, membership=seat_of(group, values["member"]))
        return group


def seat_of(group: Principal, member: UUID) -> GroupMember:
    """The membership of a principal in a group. Raises UnknownError."""
    found = GroupMember.objects.select_related("group").filter(group=group, member_id=member).first()
    if found is None:
        raise UnknownError("member of this group")
    return found
