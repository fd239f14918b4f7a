"""Delegations: what people let agents do in their name."""

from typing import Any, ClassVar

from rest_framework import serializers

from agents.registry.models import Agent
from agents.runs.remit import delegation_named
from console.api.grants import PrincipalName
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Reason, Shape
from foundation.api.viewsets import Read
from foundation.delegation.models import DelegationGrant
from foundation.delegation.services import give_delegation, narrow_delegation, revoke_delegation


class DelegationShape(Shape):
    """`person` is whose power it is, `giver` who passes it on: the same, or the agent that has `parent`."""

    person = PrincipalName()
    giver = PrincipalName()
    receiver = PrincipalName()
    scopes = serializers.ListField(child=serializers.CharField())
    audience = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = DelegationGrant
        fields = ["id", "person", "giver", "receiver", "parent", "scopes", "audience", "reason", "expires_at",
                  "revoked_at", "created_at"]  # fmt: skip


class GiveDelegation(Body):
    """`agent` by id or slug; `scopes` such as `tool:orders.*`; `audience` names connectors' audiences, or `remit`.

    With `parent`, the agent that has that delegation of yours may pass this part of it on.
    """

    agent = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField(max_length=120), max_length=100)
    audience = serializers.ListField(child=serializers.CharField(max_length=120), max_length=100)
    expires_at = serializers.DateTimeField()
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")
    parent = serializers.UUIDField(required=False, allow_null=True, default=None)  # type: ignore[assignment]  # a field


class NarrowDelegation(Body):
    """What is left out stays as it is."""

    scopes = serializers.ListField(child=serializers.CharField(max_length=120), max_length=100, required=False)
    audience = serializers.ListField(child=serializers.CharField(max_length=120), max_length=100, required=False)
    expires_at = serializers.DateTimeField(required=False)


class DelegationEndpoints(Read):
    """In whose name agents act, and how far. A delegation only ever narrows."""

    rows = DelegationGrant.objects.select_related("person", "giver", "receiver")
    shape = DelegationShape
    permission = Permission.AGENT_VIEW
    filterset_fields: ClassVar[list[str]] = ["person", "giver", "receiver", "parent"]

    @operation("Let an agent act in your name", Permission.RUN_START, body=GiveDelegation, status=201)
    def create(self, values: Any) -> DelegationGrant:
        """Nothing that you may not do yourself."""
        agent = self.find(Agent.objects.select_related("principal"), values.pop("agent"))
        parent = delegation_named(self.actor, values.pop("parent"))
        return give_delegation(actor=self.actor, receiver=agent.principal, parent=parent, **values)

    @verb("post", "narrow", "Narrow a delegation", Permission.RUN_START, body=NarrowDelegation)
    def narrow(self, values: Any) -> DelegationGrant:
        """What rests on it narrows too."""
        return narrow_delegation(actor=self.actor, delegation=self.get_object(), **values)

    @verb("post", "revoke", "Revoke a delegation", Permission.RUN_START, body=Reason)
    def revoke(self, values: Any) -> DelegationGrant:
        """At once, with all that rests on it."""
        return revoke_delegation(actor=self.actor, delegation=self.get_object(), reason=values["reason"])
