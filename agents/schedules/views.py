"""Pages of schedules: the list, and one schedule with its next moments and what became of the former ones."""

from django.http import HttpRequest, HttpResponse

from agents.schedules.models import Schedule
from foundation.access.roles import Permission
from foundation.web.components.controls import Choice
from foundation.web.listing import page_of
from foundation.web.pages import Page

STATES = {"enabled": True, "disabled": False}


class Schedules(Page):
    """`?state=` enabled or disabled, `?agent=`, `?q=`."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/schedules.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The newest first."""
        state, agent, words = (request.GET.get(name, "") for name in ("state", "agent", "q"))
        rows = self.permitted(Schedule.objects.select_related("agent", "owner"))
        if state in STATES:
            rows = rows.filter(enabled=STATES[state])
        if agent:
            rows = rows.filter(agent__slug=agent)
        if words:
            rows = rows.filter(name__icontains=words)
        choices = [Choice("", "All"), Choice("enabled", "Enabled"), Choice("disabled", "Disabled")]
        return self.render(
            {
                "slice": page_of(request, rows),
                "states": choices,
                "q": words,
                "state": state,
                "agent": agent,
                "filtered": bool(request.GET),
                "why_not": self.why_not(Permission.AGENT_MANAGE),
            }
        )
