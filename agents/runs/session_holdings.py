"""What a session holds, in people's hands: values noted and forgotten, files added and read."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse

from agents.runs.bodies import require_turns
from agents.runs.files import UNKNOWN_TYPE
from agents.runs.models import Artifact, Session
from agents.runs.session_acts import OnSession
from agents.runs.session_forms import FileForm, MemoryForm
from agents.runs.sessions import forget_memory, read_artifact, save_artifact, set_memory
from foundation.access.roles import Permission
from foundation.web.pages import Act, Page


class SetMemory(OnSession):
    """Notes a value."""

    form = MemoryForm
    heading = "Note a value"
    verb = "Note it"

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the session."""
        set_memory(actor=self.actor, session=self.session, **values)
        return self.back


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
            actor=self.actor, session=self.session, name=values["name"] or sent.name,
            media_type=sent.content_type or UNKNOWN_TYPE, content=sent.read(),
        )  # fmt: skip
        return self.back


class Download(Page):
    """A file as it is, to be kept and never shown by the browser; that it was read is recorded."""

    permission = Permission.AUDIT_READ_BODIES

    def get(self, request: HttpRequest, session_id: UUID, artifact_id: UUID) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The bytes."""
        rows = Artifact.objects.select_related("blob").defer("blob__content")
        artifact = self.found(rows, pk=artifact_id, session_id=session_id)
        require_turns(self.actor, artifact.session)
        answer = HttpResponse(read_artifact(actor=self.actor, artifact=artifact), content_type=UNKNOWN_TYPE)
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(artifact.name, safe='')}"
        answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return answer
