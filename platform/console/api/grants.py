"""Grants: a role given to a principal on an organisation, a team or an agent."""

from typing import Any, ClassVar

from rest_framework import serializers

from foundation.access.guards import find_principal, find_target
from foundation.access.models import Grant, PermittedQuerySet
from foundation.access.roles import Permission
from foundation.access.services import grant, withdraw
from foundation.api.operations import operation
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget


class PrincipalName(Shape):
    """Whoever holds the grant."""

    class Meta:
        model = Principal
        fields = ["id", "kind", "name"]


class TargetName(Shape):
    """What the grant is on."""

    class Meta:
        model = GrantTarget
        fields = ["id", "kind", "name"]


class GrantShape(Shape):
    """It counts on the target and on all that is below it, until it expires."""

    principal = PrincipalName()
    target = TargetName()

    class Meta:
        model = Grant
        fields = ["id", "principal", "role", "target", "expires_at", "reason", "created_at"]


class CreateGrant(Body):
    """`principal` is a person, a service or a group; `target` the id of the organisation, a team or an agent."""

    principal = serializers.UUIDField()
    role = serializers.SlugField(max_length=60, help_text="The short name of a built-in or custom role.")
    target = serializers.UUIDField()
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class GrantEndpoints(Read):
    """Who may do what, where."""

    rows: ClassVar[PermittedQuerySet[Grant]] = PermittedQuerySet(Grant).select_related("principal", "target")
    shape = GrantShape
    permission = Permission.GRANT_VIEW
    filterset_fields = ["principal", "role", "target"]

    @operation("Grant a role", Permission.GRANT_MANAGE, body=CreateGrant, status=201)
    def create(self, values: Any) -> Grant:
        """The target decides who may."""
        target = find_target(self.actor, self.named, values.pop("target"))
        principal = find_principal(values.pop("principal"))
        return grant(actor=self.actor, principal=principal, target=target, **values)

    @operation("Withdraw a grant", Permission.GRANT_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """It counts no longer, from now on."""
        withdraw(actor=self.actor, grant=self.get_object())
