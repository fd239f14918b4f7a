"""Pages of schedules: the list, one schedule with its moments and what became of them, a new or changed one."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.schedules.models import Firing, Schedule
from agents.schedules.moments import upcoming, zone_of
from agents.schedules.services import (
    delete_schedule,
    disable_schedule,
    enable_schedule,
    run_now,
)
from foundation.access.roles import Permission
from foundation.web.components.controls import Choice
from foundation.web.listing import page_of
from foundation.web.pages import Act, Page

STATES = {"enabled": True, "disabled": False}
AHEAD = 5  # moments that are shown


class Moment(NamedTuple):
    """One moment, as the clocks of the schedule's zone show it, and in UTC."""

    there: str
    utc: datetime

    @property
    def is_utc(self) -> bool:
        """Whether both are the same."""
        return self.there.endswith(" UTC")


def shown(schedule: Schedule, moments: Iterable[datetime]) -> list[Moment]:
    """Moments in both."""
    zone = zone_of(schedule.time_zone)
    return [Moment(f"{moment.astimezone(zone):%a %-d %b %Y %H:%M:%S %Z}", moment) for moment in moments]


class Schedules(Page):
    """`?state=` enabled or disabled, `?agent=`, `?q=`."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/schedules.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The newest first."""
        state, agent, words = (request.GET.get(name, "") for name in ("state", "agent", "q"))
        rows = self.permitted(Schedule.objects.select_related("agent", "owner").defer("input"))
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


class SchedulePage(Page):
    """One schedule: its next moments, and its firings (`?before=` shows older ones)."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/schedule.html"

    def get(self, request: HttpRequest, schedule_id: UUID) -> HttpResponse:
        """The page."""
        schedule = self.found(Schedule.objects.select_related("agent", "owner"), pk=schedule_id)
        moments = upcoming(schedule, timezone.now(), AHEAD) if schedule.enabled else []
        return self.render(
            {
                "schedule": schedule,
                "moments": shown(schedule, moments),
                "slice": page_of(request, Firing.objects.filter(schedule=schedule).select_related("run"), 20),
                "why_not": self.why_not(Permission.AGENT_MANAGE, schedule.target_id),
                "why_not_run": self.why_not(Permission.RUN_START, schedule.target_id),
            }
        )


class ScheduleRun(Act):
    """A run with the schedule's input at once, in the name of who says so."""

    permission = Permission.RUN_START

    def act(self, schedule_id: UUID) -> str:
        """To the run."""
        schedule = self.found(Schedule.objects.select_related("agent"), pk=schedule_id)
        return f"/runs/{run_now(actor=self.actor, schedule=schedule).id}/"


class ScheduleAct(Act):
    """`verb` is enable, disable or delete."""

    permission = Permission.AGENT_MANAGE

    def act(self, schedule_id: UUID | str, verb: str) -> str:
        """Back to the schedule, or to the list."""
        schedule = self.found(Schedule.objects.select_related("agent"), pk=schedule_id)
        reason = self.request.POST.get("reason", "")[:300]
        if verb == "delete":
            delete_schedule(actor=self.actor, schedule=schedule, reason=reason)
            self.say(f"{schedule.name} is deleted. The runs that it started stay.")
            return "/schedules/"
        if verb == "enable":
            enable_schedule(actor=self.actor, schedule=schedule)
        else:
            disable_schedule(actor=self.actor, schedule=schedule, reason=reason)
        return f"/schedules/{schedule.id}/"
