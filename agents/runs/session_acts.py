"""What people do with sessions: open, continue, move, close; their memory, their files, their export."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse

from agents.registry.models import Agent, AgentState, AgentVersion
from agents.runs.models import Artifact, Session
from agents.runs.services import start_run
from agents.runs.session_forms import ContinueForm, FileForm, MemoryForm, MoveForm, SessionForm
from agents.runs.sessions import (
    close_session,
    export_session,
    forget_memory,
    move_session,
    open_session,
    read_artifact,
    save_artifact,
    set_memory,
)
from agents.runs.views import title_of
from foundation.access.roles import Permission
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page

UNKNOWN_TYPE = "application/octet-stream"


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
        self._session = self.found(Session.objects.select_related("agent", "version"), pk=address["session_id"])

    def context(self) -> Mapping[str, Any]:
        """The session, and what the form does."""
        return {"session": self._session, "heading": self.heading, "verb": self.verb}

    @property
    def _back(self) -> str:
        return f"/sessions/{self._session.id}/"


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
        found = self._session
        return f"/runs/{start_run(actor=self.actor, agent=found.agent, title=title, input=text, session=found).id}/"


class SetMemory(OnSession):
    """Notes a value."""

    form = MemoryForm
    heading = "Note a value"
    verb = "Note it"

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the session."""
        set_memory(actor=self.actor, session=self._session, **values)
        return self._back


class ForgetMemory(Act):
    """Takes a name away."""

    permission = Permission.RUN_CONTROL

    def act(self, session_id: UUID) -> str:
        """Back to the session."""
        session = self.found(Session.objects.all(), pk=session_id)
        name = self.request.POST.get("name", "")
        forget_memory(actor=self.actor, session=session, name=name)
        self.say(f"{name} is forgotten. What the agent has read of it stays in the journal.")
        return f"/sessions/{session.id}/"


class SaveFile(OnSession):
    """A file that the next runs can read."""

    form = FileForm
    heading = "Add a file"
    verb = "Add"

    def make(self, data: Any = None) -> forms.Form:
        """With what was sent as a file."""
        return FileForm(data, self.request.FILES if data is not None else None)

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the session."""
        sent = values["file"]
        save_artifact(
            actor=self.actor, session=self._session, name=values["name"] or sent.name,
            media_type=sent.content_type or UNKNOWN_TYPE, content=sent.read(),
        )  # fmt: skip
        return self._back


class Download(Page):
    """A file as it is, to be kept and never shown by the browser; that it was read is recorded."""

    permission = Permission.RUN_VIEW

    def get(self, request: HttpRequest, session_id: UUID, artifact_id: UUID) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The bytes."""
        rows = Artifact.objects.select_related("blob").defer("blob__content")
        artifact = self.found(rows, pk=artifact_id, session_id=session_id)
        answer = HttpResponse(read_artifact(actor=self.actor, artifact=artifact), content_type=UNKNOWN_TYPE)
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(artifact.name, safe='')}"
        answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return answer


class Move(OnSession):
    """Another version for the runs that follow."""

    permission = Permission.AGENT_MANAGE
    form = MoveForm
    heading = "Move to another version"
    verb = "Move"

    def make(self, data: Any = None) -> forms.Form:
        """With the other versions."""
        form = super().make(data)
        rows = AgentVersion.objects.filter(agent_id=self._session.agent_id).exclude(pk=self._session.version_id)
        self._versions = {str(one.number): one for one in rows.order_by("-number")[:50]}
        serving = self._session.agent.serving_id
        names = [
            (key, f"Version {key}{', which serves' if one.pk == serving else ''}")
            for key, one in self._versions.items()
        ]
        form.fields["version"] = forms.ChoiceField(choices=names, help_text=form.fields["version"].help_text)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the session."""
        version = self._versions[values["version"]]
        move_session(actor=self.actor, session=self._session, version=version, reason=values["reason"])
        self.say(f"It is moved to version {version.number}.")
        return self._back


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

    permission = Permission.RUN_VIEW

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The document."""
        session = self.found(Session.objects.all(), pk=session_id)
        document = export_session(actor=self.actor, session=session)
        answer = JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False})
        answer.headers["Content-Disposition"] = f'attachment; filename="session-{session.id}.json"'
        return answer
