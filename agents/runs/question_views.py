"""The page of an agent's question to a person, and that of an address that something outside is to call."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.runs.bodies import read_run
from agents.runs.builtins.events import address_of
from agents.runs.models import ENDED, Callback, InputRequest, InputState
from agents.runs.question_forms import answer_of, form_of
from agents.runs.waits import answer_question, show_secret
from foundation.access.roles import Permission
from foundation.errors import ConflictError, InvalidError
from foundation.web.forms import FormPage
from foundation.web.pages import Page
from foundation.web.redirects import SeeOther


class Question(FormPage):
    """What an agent asks, with the form that it made; the first answer counts."""

    permission = Permission.RUN_VIEW
    writing = Permission.RUN_CONTROL
    place = "approvals"
    template = "agents/question.html"

    def load(self, **address: Any) -> None:
        """The question."""
        rows = InputRequest.objects.select_related("run__agent", "run__session", "answered_by")
        self._question = self.found(rows, pk=address["question_id"])
        self._reading = read_run(self.actor, self._question.run, Permission.RUN_CONTROL)

    def make(self, data: Any = None) -> forms.Form:
        """As the schema says."""
        return form_of(self._question.schema, data)

    def context(self) -> Mapping[str, Any]:
        """The question, and why this actor may not answer it."""
        asked = self._question
        shown = {"asked": self._reading.asked(asked.question), "answer": self._reading.payload(asked.answer)}
        return {"question": asked, **shown, "why_not": self._why_not()}

    def _why_not(self) -> str:
        asked = self._question
        if asked.run.state in ENDED and asked.state != InputState.EXPIRED:
            return "Its run has ended without an answer: whatever is said now reaches nobody."
        if asked.state != InputState.OPEN or asked.expires_at <= timezone.now():
            return "Nobody answered in time. The agent is told so, and goes on without."
        if not self.actor.is_person:
            return "Only a person answers."
        return self.why_not(Permission.RUN_CONTROL, asked.run.target_id)

    def done(self, values: Mapping[str, Any]) -> str:
        """To the run, which goes on."""
        answer = answer_of(self._question.schema, values)
        answer_question(actor=self.actor, request=self._question, answer=answer)
        self.say("Answered. The run goes on.")
        return f"/runs/{self._question.run_id}/"


class CallbackSecret(Page):
    """What signs the call of an address, for whoever gives it to the caller; that it was shown is recorded."""

    http_method_names = ["post"]
    permission = Permission.RUN_CONTROL
    place = "runs"
    template = "agents/callback_secret.html"

    def post(self, request: HttpRequest, callback_id: UUID) -> HttpResponse:
        """In the answer to the form, and nowhere else."""
        callback = self.found(Callback.objects.select_related("run__agent"), pk=callback_id)
        try:
            secret = show_secret(actor=self.actor, callback=callback)
        except (InvalidError, ConflictError) as error:
            messages.warning(request, error.message)
            return SeeOther(f"/runs/{callback.run_id}/")
        answer = self.render({"callback": callback, "secret": secret, "address": address_of(callback)})
        answer.headers["Cache-Control"] = "no-store"
        return answer
