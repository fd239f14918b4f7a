"""Pages of runs: the list, starting, stopping, and the word on a step in doubt. The run's page is the console's."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponseBase

from agents.registry.models import Agent, AgentState
from agents.runs.forms import ResolveForm, StartForm
from agents.runs.models import ENDED, Relation, Run, RunState, Wait
from agents.runs.services import cancel_run, resolve_unknown, start_run
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.web.components.controls import Choice
from foundation.web.components.states import look
from foundation.web.forms import FormPage
from foundation.web.listing import exported, identifier_of, page_of
from foundation.web.pages import Act, Page

STATES = {
    "open": ("In flight", (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)),
    "waiting": ("Waiting", (RunState.WAITING,)),
    "succeeded": ("Succeeded", (RunState.SUCCEEDED,)),
    "failed": ("Failed", (RunState.FAILED, RunState.EXPIRED)),
    "cancelled": ("Cancelled", (RunState.CANCELLED,)),
}
RELATIONS = {
    Relation.FORK: "Forks",
    Relation.REPLAY: "Replays",
    Relation.HANDOVER: "Hand-overs",
}
FILTERS = ("status", "agent", "q", "waits", "session", "relation", "all")
COLUMNS = {
    "id": lambda run: run.id,
    "title": lambda run: run.title,
    "agent": lambda run: run.agent.slug,
    "version": lambda run: run.version.number,
    "state": lambda run: run.state,
    "waits_for": lambda run: run.waits_for,
    "relation": lambda run: run.relation,
    "session": lambda run: run.session_id,
    "failure": lambda run: run.failure,
    "steps": lambda run: run.steps_written,
    "cost_micro": lambda run: run.cost,
    "currency": lambda run: run.currency,
    "rehearsed": lambda run: run.rehearsed,
    "created": lambda run: run.created_at,
    "ended": lambda run: run.ended_at,
}


class Runs(Page):
    """`?status=`, `?waits=`, `?relation=`, `?session=`, `?agent=`, `?q=`; sub-agents' runs only with `?all=1`."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/runs.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The newest first."""
        rows = narrowed(request, self.permitted(Run.objects.listed().select_related("requester")))
        if (file := exported(request, rows, COLUMNS, "runs")) is not None:
            return file
        context = {
            "slice": page_of(request, rows),
            "states": [Choice("", "All"), *(Choice(key, label) for key, (label, _) in STATES.items())],
            "waits_for": [(wait.value, look(f"waiting.{wait}").word) for wait in Wait],
            "relations": [(relation.value, label) for relation, label in RELATIONS.items()],
            "filtered": bool(request.GET),
            "why_not_start": self.why_not(Permission.RUN_START),
        }
        return self.render({**context, **{name: request.GET.get(name, "") for name in FILTERS}})


def narrowed(request: HttpRequest, rows: PermittedQuerySet[Run]) -> PermittedQuerySet[Run]:
    """What the address asks for."""
    status, agent, words, waits, session, relation = (request.GET.get(name, "") for name in FILTERS[:6])
    if status in STATES:
        rows = rows.filter(state__in=STATES[status][1])
    if agent:
        rows = rows.filter(agent__slug=agent)
    if words:
        rows = rows.filter(title__icontains=words)
    if waits in Wait.values:
        rows = rows.filter(state=RunState.WAITING, waits_for=waits)
    if session:
        rows = rows.filter(session_id=identifier_of(session))
    if relation in Relation.values:
        rows = rows.filter(relation=relation)
    if not (agent or session or relation or request.GET.get("all")):
        rows = rows.filter(parent=None)
    return rows


class Start(FormPage):
    """Work for one of the agents that the actor may start."""

    permission = Permission.RUN_START
    place = "runs"
    template = "agents/start.html"
    form = StartForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The agents that may be chosen."""
        agents = self.permitted(Agent.objects.select_related("team"))
        self._agents = {one.slug: one for one in agents.filter(state=AgentState.ACTIVE).order_by("name")}

    def context(self) -> Mapping[str, Any]:
        """Whether there is anything to choose."""
        return {"agents": self._agents}

    def initial(self) -> dict[str, Any]:
        """`?agent=` is chosen already."""
        return {"agent": self.request.GET.get("agent", "")}

    def make(self, data: Any = None) -> forms.Form:
        """With the agents to choose from."""
        form = super().make(data)
        choices = [(slug, f"{agent.name} · {agent.team.name}") for slug, agent in self._agents.items()]
        form.fields["agent"] = forms.ChoiceField(choices=choices)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the run."""
        text = values["input"]
        title = values["title"] or title_of(text)
        run = start_run(actor=self.actor, agent=self._agents[values["agent"]], title=title, input=text)
        return f"/runs/{run.id}/"


def title_of(text: str) -> str:
    """The subject of a mail, or the first line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    subject = next((line[8:].strip() for line in lines[:40] if line.lower().startswith("subject:")), "")
    return (subject or next(iter(lines), ""))[:200]


class Cancel(Act):
    """Stops a run before its next act."""

    permission = Permission.RUN_CONTROL

    def act(self, run_id: UUID) -> str:
        """Back to the run."""
        run = self.found(Run.objects.all(), pk=run_id)
        cancel_run(actor=self.actor, run=run, reason=self.request.POST.get("reason", "")[:300])
        self.say("It stops before its next act. What was done stays done.")
        return f"/runs/{run.id}/"


class Resolve(Act):
    """A person's word on a step whose outcome nobody knows."""

    permission = Permission.RUN_CONTROL

    def act(self, run_id: UUID, number: int) -> str:
        """Back to the step."""
        run = self.found(Run.objects.all(), pk=run_id)
        form = ResolveForm(self.request.POST)
        if not form.is_valid():
            raise InvalidError("Say what happened, and how you know.")
        resolve_unknown(actor=self.actor, run=run, number=number, **form.cleaned_data)
        ended = "It is kept. The run stays ended: to go on, retry it or fork it."
        self.say(ended if run.state in ENDED else "The run goes on from there.")
        return f"/runs/{run.id}/?step={number}"
