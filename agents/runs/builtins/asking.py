"""`remit.ask_person`: a question to whoever may control the run, with a form; the run waits for the answer."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agents.labels import Integrity, Label
from agents.runs.builtins.moments import LONGEST_WAIT, now
from agents.runs.builtins.port import Done, Waiting
from agents.runs.journal import ENGINE
from agents.runs.models import InputRequest, InputState, StepState, Wait
from agents.runs.questions import ANSWER, chosen, form_problem
from agents.tools.port import ToolEffect
from foundation.audit.plain import plain, plain_text
from foundation.audit.record import entry, record
from foundation.batches import Cursor

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work

NAME = "remit.ask_person"
_PATIENCE = 7 * 86_400  # seconds
_LABEL = Label(Integrity.TRUSTED, sources=frozenset({"person"}))


class AskPerson:
    """Ask people, and go on with the first answer."""

    name = NAME
    description = (
        "Ask a person, and wait for the answer. `form` may say what the answer looks like: a JSON Schema of a flat "
        "object, whose properties are of type string, number, integer or boolean. `patience` is how many seconds the "
        "answer may take; without an answer you are told so, and go on."
    )
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "question": {"type": "string", "minLength": 1, "maxLength": 4_000},
            "form": {"type": "object"},
            "patience": {"type": "integer", "minimum": 1, "maximum": LONGEST_WAIT},
        },
        "required": ["question"],
        "additionalProperties": False,
    }
    effect = ToolEffect.IDEMPOTENT

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """What is wrong with the form."""
        if not arguments["question"].strip():
            return "The question is empty."
        return form_problem(arguments["form"]) if "form" in arguments else ""

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Waiting:
        """The question as a row, which people see in their inbox."""
        patience = timedelta(seconds=step.input.get("patience", _PATIENCE))
        request = InputRequest.objects.using(ENGINE).create(
            organisation_id=work.run.organisation_id, run_id=work.run.id, step=step.number,
            question=plain_text(step.input["question"]), schema=plain(step.input.get("form", ANSWER), fractions=True),
            expires_at=min(now(cursor) + patience, work.run.deadline),
        )  # fmt: skip
        record(
            entry(work.actor, "question.ask", target_kind="question", target_id=request.id, target_name=step.name,
                  run=work.run.id, step=step.number),
            cursor=cursor,
        )  # fmt: skip
        return _wait(request)

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done | Waiting:
        """The answer, or that there is none. The row is locked: no answer comes between the look and the wait."""
        rows = InputRequest.objects.using(ENGINE).select_for_update(of=("self",))
        request = rows.get(run_id=work.run.id, step=step.number)
        if request.state == InputState.ANSWERED:
            who = request.answered_by.name if request.answered_by else ""
            # A choice among words that the agent offered is as doubtful as the agent; a person's own words are not.
            label = None if chosen(request.schema, request.answer or {}) else _LABEL
            return Done(output={"answer": request.answer, "answered_by": who}, label=label)
        if request.state == InputState.OPEN and request.expires_at > now(cursor):
            return _wait(request)
        if request.state == InputState.OPEN:
            request.state = InputState.EXPIRED
            request.save(update_fields=["state"])
        return Done(state=StepState.FAILED, error="Nobody answered in time.")


def _wait(request: InputRequest) -> Waiting:
    shown = {"question": str(request.id), "until": request.expires_at.isoformat()}
    return Waiting(waits_for=Wait.INPUT, waits_on=request.id, until=request.expires_at, output=shown)
