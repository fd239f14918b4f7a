"""Pages of triggers: the list, and one trigger."""

from django.http import HttpRequest, HttpResponse

from agents.schedules.models import Trigger
from foundation.access.roles import Permission
from foundation.web.listing import page_of
from foundation.web.pages import Page


class Triggers(Page):
    """`?agent=`, `?q=`."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/triggers.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The newest first."""
        agent, words = request.GET.get("agent", ""), request.GET.get("q", "")
        rows = self.permitted(Trigger.objects.select_related("agent", "owner"))
        if agent:
            rows = rows.filter(agent__slug=agent)
        if words:
            rows = rows.filter(name__icontains=words)
        context = {"slice": page_of(request, rows), "q": words, "agent": agent, "filtered": bool(request.GET)}
        return self.render({**context, "why_not": self.why_not(Permission.AGENT_MANAGE)})
