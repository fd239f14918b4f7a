"""Settings: services, the programs that call us."""

from collections.abc import Mapping
from typing import Any

from console.forms import ServiceForm
from foundation.access.roles import Permission
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.identity.services import create_service
from foundation.web.forms import FormPage


class Services(FormPage):
    """The programs that act in the organisation; whoever may, adds more."""

    permission = Permission.PERSON_VIEW
    writing = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/services.html"
    form = ServiceForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Adding is for the whole organisation."""
        if self.request.method == "POST":
            self.require()

    def context(self) -> Mapping[str, Any]:
        """Services with their roles and keys: as many queries, however many they are."""
        services = Principal.objects.filter(organisation_id=self.tenant, kind=PrincipalKind.SERVICE)
        services = services.exclude(state=PrincipalState.LEFT)
        return {
            "services": services.prefetch_related("grants__target", "api_keys").order_by("name")[:500],
            "why_not": self.why_not(Permission.PERSON_MANAGE),
            "tab": "services",
        }

    def done(self, values: Mapping[str, Any]) -> str:
        """To the new service's first role."""
        made = create_service(actor=self.actor, organisation=self.organisation, name=values["name"])
        self.say(f"{made.name} is there. Give it a role, then make its key.")
        return f"/settings/roles/?principal={made.id}"
