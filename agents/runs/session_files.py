"""The files of a session, in people's hands: added and read."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse

from agents.runs.bodies import require_turns
from agents.runs.files import UNKNOWN_TYPE
from agents.runs.models import Artifact
from agents.runs.session_acts import OnSession
from agents.runs.session_forms import FileForm
from agents.runs.sessions import read_artifact, save_artifact
from foundation.access.roles import Permission
from foundation.web.pages import Page


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
