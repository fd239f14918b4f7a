"""The working memory of a session, in people's hands: values noted and forgotten."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agents.runs.models import Session
from agents.runs.session_acts import OnSession
from agents.runs.session_forms import MemoryForm
from agents.runs.sessions import forget_memory, set_memory
from foundation.access.roles import Permission
from foundation.web.pages import Act


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
