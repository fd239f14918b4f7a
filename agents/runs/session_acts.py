"""What people do with sessions: open, continue, move, close, export."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, StreamingHttpResponse

from agents.registry.models import Agent, AgentState, AgentVersion
from agents.runs.bodies import require_turns
from agents.runs.models import Session
from agents.runs.services import start_run
from agents.runs.session_forms import ContinueForm, MoveForm, SessionForm
from agents.runs.sessions import close_session, export_session, move_session, open_session
from agents.runs.views import title_of
from foundation.access.roles import Permission
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page


class NewSession(FormPage):
    """An empty session with one of the agents that the actor may start."""

    permission = Permission.RUN_START
    place = "runs"
    template = "agents/session_new.html"
    form = SessionForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The agents that may be chosen."""
        agents = self.permitted(Agent.objects.select_related("team", "serving"))
        self._agents = {one.slug: one for one in agents.filter(state=AgentState.ACTIVE).order_by("name")}

    def context(self) -> Mapping[str, Any]:
        """Whether there is anything to choose."""
        return {"agents": self._agents}

    def initial(self) -> dict[str, Any]:
        """`?agent=` is chosen already."""
        return {"agent": self.request.GET.get("agent", "")}

    def make(self, data: Any = None) -> forms.Form:
        """With the agents."""
        form = super().make(data)
        choices = [(slug, f"{agent.name} · {agent.team.name}") for slug, agent in self._agents.items()]
        form.fields["agent"] = forms.ChoiceField(choices=choices)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the session."""
        made = open_session(actor=self.actor, **{**values, "agent": self._agents[values["agent"]]})
        return f"/sessions/{made.id}/"


class OnSession(FormPage):
    """A form on one session; it stands on the session's page, and on its own where something is to be fixed."""

    permission = Permission.RUN_CONTROL
    place = "runs"
    template = "agents/session_form.html"
    heading = ""
    verb = ""

    def load(self, **address: Any) -> None:
        """The session."""
        self.session = self.found(Session.objects.select_related("agent", "version"), pk=address["session_id"])

    def context(self) -> Mapping[str, Any]:
        """The session, and what the form does."""
        return {"session": self.session, "heading": self.heading, "verb": self.verb}

    @property
    def back(self) -> str:
        """Where the session stands."""
        return f"/sessions/{self.session.id}/"


class Continue(OnSession):
    """The next run of a session."""

    permission = Permission.RUN_START
    form = ContinueForm
    heading = "Continue"
    verb = "Start the run"

    def done(self, values: Mapping[str, Any]) -> str:
        """To the run."""
        text = values["input"]
        title = values["title"] or title_of(text)
        found = self.session
        return f"/runs/{start_run(actor=self.actor, agent=found.agent, title=title, input=text, session=found).id}/"


class Move(OnSession):
    """Another version for the runs that follow."""

    permission = Permission.AGENT_MANAGE
    form = MoveForm
    heading = "Move to another version"
    verb = "Move"

    def make(self, data: Any = None) -> forms.Form:
        """With the other versions."""
        form = super().make(data)
        rows = AgentVersion.objects.filter(agent_id=self.session.agent_id).exclude(pk=self.session.version_id)
        self._versions = {str(one.number): one for one in rows.order_by("-number")[:50]}
        serving = self.session.agent.serving_id
        names = [
            (key, f"Version {key}{', which serves' if one.pk == serving else ''}")
            for key, one in self._versions.items()
        ]
        form.fields["version"] = forms.ChoiceField(choices=names, help_text=form.fields["version"].help_text)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the session."""
        version = self._versions[values["version"]]
        move_session(actor=self.actor, session=self.session, version=version, reason=values["reason"])
        self.say(f"It is moved to version {version.number}.")
        return self.back


class Close(Act):
    """It takes no more input."""

    permission = Permission.RUN_CONTROL

    def act(self, session_id: UUID) -> str:
        """Back to the session."""
        session = self.found(Session.objects.all(), pk=session_id)
        close_session(actor=self.actor, session=session, reason=self.request.POST.get("reason", "")[:300])
        self.say("It is closed. What is in it stays readable.")
        return f"/sessions/{session.id}/"


class Export(Page):
    """All of a session as one JSON document; that it was read is recorded."""

    permission = Permission.AUDIT_READ_BODIES

    def get(self, _request: HttpRequest, session_id: UUID) -> StreamingHttpResponse:
        """The document, made while it is sent."""
        session = self.found(Session.objects.all(), pk=session_id)
        require_turns(self.actor, session)
        disposition = f'attachment; filename="session-{session.id}.json"'
        return StreamingHttpResponse(
            export_session(actor=self.actor, session=session), content_type="application/json",
            headers={"Content-Disposition": disposition},
        )  # fmt: skip
