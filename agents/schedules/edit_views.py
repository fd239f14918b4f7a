"""A new or changed schedule, with a look ahead at its next moments before anything is saved."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from agents.registry.models import Agent, AgentState
from agents.schedules.forms import ScheduleForm, zones
from agents.schedules.models import Schedule
from agents.schedules.moments import upcoming, zone_of
from agents.schedules.plans import Plan, checked
from agents.schedules.services import change_schedule, create_schedule
from agents.schedules.views import AHEAD, Moment, shown
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.instants import database_now
from foundation.web.forms import FormPage


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
    # Not a set to look in: an input that is an object cannot be looked for there.
    return Plan(**{name: values[name] for name in names if values.get(name) is not None and values[name] != ""})


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
        form.fields["seen"] = forms.CharField(max_length=80, required=False, widget=forms.HiddenInput)
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
            "seen": Plan.of(self._schedule).digest,
            **{name: getattr(self._schedule, name) for name in same},
            **{name: one.astimezone(zone).replace(tzinfo=None) for name, one in moments.items() if one},
            "input": self._schedule.input if isinstance(self._schedule.input, str) else "",
        }

    def done(self, values: Mapping[str, Any]) -> str:
        """To its page."""
        changes = asdict(plan_of({**values, "input": values["input"] or "…"}))
        if not values["input"]:
            del changes["input"]
        change_schedule(actor=self.actor, schedule=self._schedule, changes=changes, seen=values["seen"])
        self.say("It follows the new plan, in your name.")
        return f"/schedules/{self._schedule.id}/"
