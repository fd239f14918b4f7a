"""Two questions: why may somebody do this here, and who may do this here?"""

from typing import Any

from rest_framework import serializers

from console.api.grants import PrincipalName, TargetName
from foundation.access.explanations import who, why
from foundation.access.guards import find_principal, find_target
from foundation.access.roles import Permission
from foundation.api.operations import verb
from foundation.api.serializers import Body
from foundation.api.viewsets import Endpoints
from foundation.organisations.models import GrantTarget

PERMISSIONS = [(one.value, one.value) for one in Permission]


class PathShape(serializers.Serializer[Any]):
    """One way: a grant of a role, to the principal or to a group that it is in, on the target or above it.

    `nodes` leads from where the grant stands down to the target.
    """

    principal = PrincipalName()
    grant = serializers.UUIDField(source="grant.id")
    role = serializers.CharField(source="grant.role")
    group = PrincipalName(allow_null=True)
    nodes = TargetName(many=True)
    permissions = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(source="grant.reason")


class WhyShape(serializers.Serializer[Any]):
    """`may` is whether there is a way at all."""

    may = serializers.BooleanField()
    paths = PathShape(many=True)


class WhoShape(serializers.Serializer[Any]):
    """Everybody who may, with each way; whoever has two stands twice."""

    paths = PathShape(many=True)


class AskWhy(Body):
    """`principal` is yourself and `target` the organisation, if they are not named; without `permission`: anything."""

    principal = serializers.UUIDField(required=False)
    target = serializers.UUIDField(required=False)
    permission = serializers.ChoiceField(choices=PERMISSIONS, required=False)


class AskWho(Body):
    """`target` is the organisation, if it is not named."""

    target = serializers.UUIDField(required=False)
    permission = serializers.ChoiceField(choices=PERMISSIONS)


class AccessEndpoints(Endpoints):
    """Answers from the grants as they stand; nothing is changed."""

    permission = Permission.GRANT_VIEW

    @verb("post", "why", "Why may somebody do something here?", Permission.GRANT_VIEW, detail=False, body=AskWhy,
          answer=WhyShape)  # fmt: skip
    def why(self, values: Any) -> dict[str, Any]:
        """Through groups, custom roles and what stands above."""
        target = self._target(values)
        principal = find_principal(values.get("principal") or self.actor.principal)
        paths = why(principal, target, values.get("permission", ""))
        return {"may": bool(paths), "paths": paths}

    @verb("post", "who", "Who may do something here?", Permission.GRANT_VIEW, detail=False, body=AskWho,
          answer=WhoShape)  # fmt: skip
    def who(self, values: Any) -> dict[str, Any]:
        """By name."""
        return {"paths": who(self._target(values), values["permission"])}

    def _target(self, values: Any) -> GrantTarget:
        return find_target(self.actor, self.named, values.get("target") or self.organisation_id)
