"""Pages of connectors and tools."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from agents.tools.forms import ConnectorForm, CredentialForm
from agents.tools.models import Connector, Credential, Tool
from agents.tools.services import accept_tool, add_connector, add_credential, disable_tool, refresh_tools
from foundation.access.roles import Permission
from foundation.errors import ConflictError
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page


class Tools(Page):
    """Connectors with their tools."""

    permission = Permission.TOOL_VIEW
    place = "tools"
    template = "agents/tools.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """`?q=` narrows by name."""
        words = request.GET.get("q", "")
        tools = self.permitted(Tool.objects.all()).filter(name__icontains=words).order_by("name")
        grouped: dict[UUID, list[Tool]] = {}
        for tool in tools:
            grouped.setdefault(tool.connector_id, []).append(tool)
        connectors = self.permitted(Connector.objects.select_related("credential")).order_by("name")
        groups = [(one, grouped.get(one.id, [])) for one in connectors if not words or one.id in grouped]
        return self.render({"groups": groups, "q": words, "why_not": self.why_not(Permission.TOOL_MANAGE)})


class ToolPage(Page):
    """One tool: what it does, what it takes, whether it may be called."""

    permission = Permission.TOOL_VIEW
    place = "tools"
    template = "agents/tool.html"

    def get(self, request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The page."""
        tool = self.found(Tool.objects.select_related("connector"), name=name)
        return self.render({"tool": tool, "why_not": self.why_not(Permission.TOOL_MANAGE)})


class Judge(Act):
    """Accept or disable a tool as the person saw it: its definition's hash is sent along."""

    permission = Permission.TOOL_MANAGE

    def act(self, name: str, verb: str) -> str:
        """Back to the tool."""
        tool = self.found(Tool.objects.select_related("connector"), name=name)
        if verb == "accept":
            if self.request.POST.get("definition_hash") != tool.definition_hash:
                raise ConflictError(f"The definition of {tool.name} has changed once more: read it again.")
            accept_tool(actor=self.actor, tool=tool)
        else:
            disable_tool(actor=self.actor, tool=tool)
        return f"/tools/{tool.name}/"


class Refresh(Act):
    """Reads what a connector offers now."""

    permission = Permission.TOOL_MANAGE

    def act(self, slug: str) -> str:
        """Back to the tools."""
        connector = self.found(Connector.objects.all(), slug=slug)
        found = refresh_tools(actor=self.actor, connector=connector)
        self.say(f"{connector.name} offers {len(found)} tools. New and changed ones are in review.")
        return "/tools/"


class NewConnector(FormPage):
    """A connector, and its tools as it offers them now."""

    permission = Permission.TOOL_MANAGE
    place = "tools"
    template = "agents/connector_new.html"
    form = ConnectorForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The credentials to choose from."""
        self.require()
        self._credentials = {str(one.id): one for one in self.permitted(Credential.objects.all()).order_by("name")}

    def make(self, data: Any = None) -> forms.Form:
        """With kinds and credentials."""
        form = super().make(data)
        kinds = [(kind, kind) for kind in sorted(settings.CONNECTOR_KINDS)]
        form.fields["kind"] = forms.ChoiceField(choices=kinds)
        held = [("", "None"), *((key, one.name) for key, one in self._credentials.items())]
        form.fields["credential"] = forms.ChoiceField(choices=held, required=False)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the tools."""
        credential = self._credentials.get(values["credential"])
        add_connector(actor=self.actor, **{**values, "credential": credential})
        return "/tools/"


class NewCredential(FormPage):
    """A sealed secret."""

    permission = Permission.TOOL_MANAGE
    place = "tools"
    template = "agents/credential_new.html"
    form = CredentialForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """It belongs to the whole organisation."""
        self.require()

    def done(self, values: Mapping[str, Any]) -> str:
        """To the connector that uses it."""
        add_credential(actor=self.actor, name=values["name"], secret=values["secret"])
        self.say("The secret is sealed. It is never shown again.")
        return "/tools/connectors/new"
