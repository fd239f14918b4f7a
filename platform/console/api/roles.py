"""Roles: those that are built in, and those that an organisation makes of named permissions."""

from typing import Any, ClassVar

from rest_framework import serializers

from foundation.access.custom_roles import change_role, create_role
from foundation.access.models import Role
from foundation.access.roles import ROLES, Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from foundation.api.wide import WideQuerySet
from foundation.invitations.roles import remove_role

PERMISSIONS = [(one.value, one.value) for one in Permission]


class RoleShape(Shape):
    """A custom role."""

    permissions = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Role
        fields = ["id", "slug", "name", "description", "permissions", "created_at"]


class BuiltInRoleShape(serializers.Serializer[Any]):
    """A role that every organisation has."""

    slug = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())


class CreateRole(Body):
    """The short name stays for ever; you must hold on the organisation what you put in."""

    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=300, allow_blank=True, default="")
    permissions = serializers.ListField(child=serializers.ChoiceField(choices=PERMISSIONS), allow_empty=False)


class ChangeRole(Body):
    """What is not named stays."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=300, allow_blank=True, required=False)
    permissions = serializers.ListField(
        child=serializers.ChoiceField(choices=PERMISSIONS), allow_empty=False, required=False
    )


class RoleEndpoints(Read):
    """Custom roles; `/roles/built-in` tells of the others."""

    rows: ClassVar[WideQuerySet[Role]] = WideQuerySet(Role)
    shape = RoleShape
    permission = Permission.GRANT_VIEW
    filterset_fields = ["slug"]

    @verb("get", "built-in", "List the built-in roles", Permission.GRANT_VIEW, detail=False, answer=BuiltInRoleShape,
          many=True)  # fmt: skip
    def built_in(self, _values: Any) -> list[dict[str, Any]]:
        """From the strongest to the weakest, with what each holds."""
        return [{"slug": role, "permissions": sorted(held)} for role, held in ROLES.items()]

    @operation("Create a role", Permission.GRANT_MANAGE, body=CreateRole, status=201)
    def create(self, values: Any) -> Role:
        """To be granted by its short name."""
        self.require()
        return create_role(actor=self.actor, **values)

    @operation("Change a role", Permission.GRANT_MANAGE, body=ChangeRole)
    def partial_update(self, values: Any) -> Role:
        """It counts at once for everybody who holds it."""
        return change_role(actor=self.actor, role=self.get_object(), **values)

    @operation("Delete a role that nobody holds", Permission.GRANT_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """Withdraw its grants and open invitations first."""
        remove_role(actor=self.actor, role=self.get_object())
