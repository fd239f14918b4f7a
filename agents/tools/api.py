"""REST endpoints of connectors and their tools."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from agents.tools.credentials_api import CredentialShape
from agents.tools.models import Connector, Credential, TokenHeader, Tool
from agents.tools.services import (
    accept_tool,
    add_connector,
    disable_tool,
    identify_calls,
    refresh_tools,
)
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read


class ConnectorShape(Shape):
    """A source of tools."""

    credential = CredentialShape(allow_null=True)

    class Meta:
        model = Connector
        fields = ["id", "slug", "name", "kind", "settings", "credential", "enabled", "token_header",
                  "audience", "on_behalf_of", "created_at"]  # fmt: skip


class AddConnector(Body):
    """`kind` is one of those that this installation knows; `settings` are plain values, never secrets."""

    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    kind = serializers.CharField(max_length=60)
    settings = serializers.DictField(default=dict)
    credential = serializers.UUIDField(required=False, allow_null=True, default=None)

    def validate_kind(self, kind: str) -> str:
        """Known, or the error names those that are."""
        if kind not in settings.CONNECTOR_KINDS:
            known = ", ".join(sorted(settings.CONNECTOR_KINDS))
            raise serializers.ValidationError(f"There is no such kind here. Kinds: {known}.")
        return kind


class IdentifyCalls(Body):
    """`token_header` is where the run token goes, `audience` for whom it is (empty: the connector's short name).

    `on_behalf_of`: the connector is called in the name of a person only.
    """

    token_header = serializers.ChoiceField(choices=TokenHeader.choices, allow_blank=True, default="")
    audience = serializers.CharField(max_length=120, allow_blank=True, default="")
    on_behalf_of = serializers.BooleanField(default=False)


class ConnectorName(Shape):
    """Which connector."""

    class Meta:
        model = Connector
        fields = ["id", "slug", "name"]


class ToolShape(Shape):
    """One callable operation. In review: its definition changed, and a person has not accepted it yet."""

    connector = ConnectorName()

    class Meta:
        model = Tool
        fields = ["id", "name", "connector", "operation", "description", "schema", "effect", "definition_hash",
                  "state", "created_at"]  # fmt: skip


class ConnectorEndpoints(Read):
    """Connectors of the organisation."""

    rows = Connector.objects.select_related("credential")
    shape = ConnectorShape
    permission = Permission.TOOL_VIEW
    filterset_fields = ["kind", "enabled"]

    @operation("Add a connector and read its tools", Permission.TOOL_MANAGE, body=AddConnector, status=201)
    def create(self, values: Any) -> Connector:
        """Its tools are there at once, and may be called where an agent names them and a policy allows it."""
        self.require()
        if values["credential"]:
            values["credential"] = self.find(Credential.objects.all(), str(values["credential"]))
        return add_connector(actor=self.actor, **values)

    @verb("post", "identify", "Say how a connector is told who calls", Permission.TOOL_MANAGE, body=IdentifyCalls)
    def identify(self, values: Any) -> Connector:
        """From the next call on."""
        return identify_calls(actor=self.actor, connector=self.get_object(), **values)

    @verb("post", "refresh", "Read the tools of a connector anew", Permission.TOOL_MANAGE, answer=ToolShape, many=True)
    def refresh(self, _values: Any) -> list[Tool]:
        """The tools as they are now; those whose definition changed are in review."""
        return refresh_tools(actor=self.actor, connector=self.get_object())


class ToolEndpoints(Read):
    """Tools of all connectors."""

    rows = Tool.objects.select_related("connector")
    shape = ToolShape
    permission = Permission.TOOL_VIEW
    filterset_fields = ["connector", "effect", "state", "name"]

    @verb("post", "accept", "Accept the definition of a tool", Permission.TOOL_MANAGE)
    def accept(self, _values: Any) -> Tool:
        """From review, or from disabled, back into use."""
        return accept_tool(actor=self.actor, tool=self.get_object())

    @verb("post", "disable", "Disable a tool", Permission.TOOL_MANAGE)
    def disable(self, _values: Any) -> Tool:
        """Nobody calls it any more."""
        return disable_tool(actor=self.actor, tool=self.get_object())
