"""`remit.wait`: go on after some time, or at a moment. The wait is a row: it costs no worker, and outlives restarts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agents.runs.builtins.moments import LONGEST_WAIT, moment_of, now
from agents.runs.builtins.port import Done, Waiting
from agents.runs.models import Wait
from agents.tools.port import ToolEffect
from foundation.batches import Cursor

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work


class WaitUntil:
    """Wait for some seconds, or until a moment."""

    name = "remit.wait"
    description = "Wait, and go on afterwards: give either `seconds`, or `until` (a moment as in 2026-03-01T09:00:00Z)."
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "seconds": {"type": "integer", "minimum": 1, "maximum": LONGEST_WAIT},
            "until": {"type": "string", "description": "RFC 3339, with its offset from UTC.", "maxLength": 40},
        },
        "additionalProperties": False,
    }
    effect = ToolEffect.READ

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """Exactly one of the two, and a moment that is one."""
        if len(arguments) != 1:
            return "Give either seconds or until."
        if "until" in arguments and moment_of(arguments["until"]) is None:
            return "until must be a moment with its offset from UTC, as in 2026-03-01T09:00:00Z."
        return ""

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done | Waiting:  # noqa: ARG002 - the port's
        """The moment is reckoned by the database's clock, and kept with the step."""
        here = now(cursor)
        until = moment_of(step.input.get("until", "")) or here + timedelta(seconds=step.input.get("seconds", 0))
        if until <= here:
            return _over(until)
        return Waiting(waits_for=Wait.TIMER, until=until, output={"until": until.isoformat()})

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done | Waiting:  # noqa: ARG002 - the port's
        """Woken early (after a pause, say), it waits for the rest."""
        until = datetime.fromisoformat((step.output or {})["until"])
        if until <= now(cursor):
            return _over(until)
        return Waiting(waits_for=Wait.TIMER, until=until)


def _over(until: datetime) -> Done:
    return Done(output={"waited_until": until.astimezone(UTC).isoformat()})
