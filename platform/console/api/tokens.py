"""Whether a run token counts at this moment: introspection (RFC 7662)."""

from typing import Any

from rest_framework import serializers
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.response import Response

from agents.runs.run_tokens import check_token
from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.serializers import Body
from foundation.api.viewsets import Endpoints
from foundation.audit.record import entry, record
from foundation.delegation.tokens import Claims, TokenRefusedError
from foundation.instants import database_now


class Introspect(Body):
    """`audience` is the name under which you are called: a token for somebody else is not active for you.

    With `run` it must be of that run; with `once` it is used up, and is not active when it comes again.
    """

    token = serializers.CharField(max_length=16_384)
    token_type_hint = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    audience = serializers.CharField(max_length=120)
    run = serializers.UUIDField(required=False, allow_null=True, default=None)
    once = serializers.BooleanField(required=False, default=False)


class PartyShape(serializers.Serializer[Any]):
    """Somebody on whose behalf an agent acts."""

    sub = serializers.CharField()
    kind = serializers.CharField()


class TokenShape(serializers.Serializer[Any]):
    """What a token says. Of one that does not count only `active`, which is false."""

    active = serializers.BooleanField()
    sub = serializers.UUIDField(required=False, help_text="The agent that calls.")
    agent = serializers.CharField(required=False, help_text="Its short name.")
    org = serializers.UUIDField(required=False)
    run = serializers.UUIDField(required=False, allow_null=True)
    on_behalf_of = PartyShape(many=True, required=False, help_text="For whom it calls, nearest first.")
    scope = serializers.CharField(required=False)
    aud = serializers.ListField(child=serializers.CharField(), required=False)
    exp = serializers.IntegerField(required=False)
    iat = serializers.IntegerField(required=False)
    jti = serializers.UUIDField(required=False)
    delegation = serializers.UUIDField(required=False, allow_null=True)


class IntrospectionEndpoints(Endpoints):
    """For whoever runs a tool and wants to know whether a run token counts at this moment."""

    permission = Permission.TOOL_VIEW
    shape = TokenShape
    parser_classes = (JSONParser, FormParser)

    @operation("Ask whether a run token counts", Permission.TOOL_VIEW, body=Introspect)
    def token(self, values: Any) -> dict[str, Any] | Response:
        """Tokens of other organisations are not active."""
        asked = {name: values[name] for name in ("audience", "run", "once")}
        try:
            claims = check_token(values["token"], now=database_now(), organisation=self.organisation_id, **asked)
        except TokenRefusedError as error:
            refused = entry(self.actor, "token.check", target_kind="token", outcome="denied", reason=str(error),
                            details={"audience": values["audience"]})  # fmt: skip
            record(refused)
            return Response({"active": False})
        return _shown(claims)


def _shown(claims: Claims) -> dict[str, Any]:
    return {
        "active": True, "sub": claims.agent, "agent": claims.agent_slug, "org": claims.organisation,
        "run": claims.run, "on_behalf_of": [one.as_json() for one in claims.on_behalf_of],
        "scope": " ".join(sorted(claims.scopes)), "aud": list(claims.audience),
        "exp": int(claims.expires_at.timestamp()), "iat": int(claims.issued_at.timestamp()), "jti": claims.jti,
        "delegation": claims.delegation,
    }  # fmt: skip
