"""Pages of schedules: the list, one schedule with its moments and what became of them, a new or changed one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.registry.models import Agent, AgentState
from agents.schedules.forms import ScheduleForm, zones
from agents.schedules.models import Firing, Schedule
from agents.schedules.moments import upcoming, zone_of
from agents.schedules.plans import Plan, checked, database_now
from agents.schedules.services import (
    change_schedule,
    create_schedule,
    delete_schedule,
    disable_schedule,
    enable_schedule,
    run_now,
)
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.web.components.controls import Choice
from foundation.web.forms import FormPage
from foundation.web.listing import page_of
from foundation.web.pages import Act, Page

STATES = {"enabled": True, "disabled": False}
AHEAD = 5  # moments that are shown


class Moment(NamedTuple):
    """One moment, as the clocks of the schedule's zone show it, and in UTC."""

    there: str
    utc: datetime


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
            }
        )


class EditsSchedule(FormPage):
    """The form with a look ahead: `preview` shows the moments and saves nothing."""

    permission = Permission.AGENT_MANAGE
    place = "runs"
    template = "agents/schedule_form.html"
    part = "agents/schedule_moments.html"
    form = ScheduleForm

    def make(self, data: Any = None) -> forms.Form:
        """With the agents to choose from."""
        form = super().make(data)
        agents = Agent.objects.all().permitted(self.actor, Permission.AGENT_MANAGE)
        may_start = Agent.objects.all().permitted(self.actor, Permission.RUN_START)
        rows = agents.filter(state=AgentState.ACTIVE, pk__in=may_start.values("pk")).select_related("team")
        self._agents = {one.slug: one for one in rows.order_by("name")}
        choices = [(slug, f"{one.name} · {one.team.name}") for slug, one in self._agents.items()]
        help_text = form.fields["agent"].help_text
        form.fields["agent"] = forms.ChoiceField(choices=choices, help_text=help_text)
        return form

    def context(self) -> Mapping[str, Any]:
        """The zones."""
        return {"zones": zones()}

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """Saves it, or only looks ahead."""
        if "preview" not in request.POST and not self.is_partial:
            return super().post(request, **address)
        self.load(**address)
        form = self.make(request.POST)
        form.is_valid()
        moments, problem = self._ahead(form.cleaned_data)
        return self.render({**self.context(), "form": form, "moments": moments, "problem": problem, "asked": True})

    def _ahead(self, values: Mapping[str, Any]) -> tuple[list[Moment], str]:
        now = database_now()
        try:
            # Only the timing is looked at: a name and an input may still be missing.
            schedule = checked(plan_of({**values, "name": "…", "input": "…"}), now)
        except InvalidError as error:
            return [], error.message
        return shown(schedule, upcoming(schedule, now, AHEAD)), ""


def plan_of(values: Mapping[str, Any]) -> Plan:
    """What the form says."""
    names = ("name", "kind", "input", "expression", "time_zone", "starts_at", "ends_at", "catch_up", "overlap")
    return Plan(**{name: values[name] for name in names if values.get(name) not in {None, ""}})


class NewSchedule(EditsSchedule):
    """A schedule for one of the agents that the actor manages."""

    def initial(self) -> dict[str, Any]:
        """`?agent=` is chosen already."""
        return {"agent": self.request.GET.get("agent", "")}

    def done(self, values: Mapping[str, Any]) -> str:
        """To its page."""
        made = create_schedule(actor=self.actor, agent=self._agents[values["agent"]], plan=plan_of(values))
        return f"/schedules/{made.id}/"


class ChangeSchedule(EditsSchedule):
    """Another plan from now on, in the name of who changes it."""

    def load(self, **address: Any) -> None:
        """The schedule."""
        self._schedule = self.found(Schedule.objects.select_related("agent__team"), pk=address["schedule_id"])

    def make(self, data: Any = None) -> forms.Form:
        """Without a choice of the agent, and with an input that is text."""
        form = super().make(data)
        del form.fields["agent"]
        if not isinstance(self._schedule.input, str):
            form.fields["input"].required = False
            form.fields["input"].help_text = "It is an object, set over the API. Empty keeps it."
        return form

    def context(self) -> Mapping[str, Any]:
        """The schedule."""
        return {**super().context(), "schedule": self._schedule}

    def initial(self) -> dict[str, Any]:
        """As it is now, its moments as its zone's clocks show them."""
        same = ("name", "kind", "expression", "time_zone", "catch_up", "overlap")
        zone = zone_of(self._schedule.time_zone)
        moments = {name: getattr(self._schedule, name) for name in ("starts_at", "ends_at")}
        return {
            **{name: getattr(self._schedule, name) for name in same},
            **{name: one.astimezone(zone).replace(tzinfo=None) for name, one in moments.items() if one},
            "input": self._schedule.input if isinstance(self._schedule.input, str) else "",
        }

    def done(self, values: Mapping[str, Any]) -> str:
        """To its page."""
        kept = {} if values["input"] else {"input": self._schedule.input}
        change_schedule(actor=self.actor, schedule=self._schedule, plan=plan_of({**values, **kept}))
        self.say("It follows the new plan, in your name.")
        return f"/schedules/{self._schedule.id}/"


class ScheduleAct(Act):
    """`verb` is enable, disable, run or delete."""

    permission = Permission.AGENT_MANAGE

    def act(self, schedule_id: UUID | str, verb: str) -> str:
        """Back to the schedule, to the run, or to the list."""
        schedule = self.found(Schedule.objects.select_related("agent"), pk=schedule_id)
        reason = self.request.POST.get("reason", "")[:300]
        if verb == "run":
            return f"/runs/{run_now(actor=self.actor, schedule=schedule).id}/"
        if verb == "delete":
            delete_schedule(actor=self.actor, schedule=schedule, reason=reason)
            self.say(f"{schedule.name} is deleted. The runs that it started stay.")
            return "/schedules/"
        if verb == "enable":
            enable_schedule(actor=self.actor, schedule=schedule)
        else:
            disable_schedule(actor=self.actor, schedule=schedule, reason=reason)
        return f"/schedules/{schedule.id}/"
