"""What a retry would do again: what the run itself did, and what the runs did that it had delegated to.

A delegation that failed is no proof that nothing happened: its run may have done much before it ended.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from agents.runs.models import ENDED, Run, Step, StepKind, StepState
from agents.tools.port import ToolEffect
from foundation.errors import ConflictError

_DOES_SOMETHING = {ToolEffect.IDEMPOTENT.value, ToolEffect.EFFECT.value}

# Of each delegation to be repeated the runs below it, with those that took over from them or retried them. What a
# delegation below did is looked for in its own run; a step that is still intended may have left.
_BELOW = """
WITH RECURSIVE below AS (
    SELECT s.number AS above, s.child_id AS id FROM runs_step s
    WHERE s.run_id = %(run)s AND s.number >= %(first)s AND s.kind = 'delegation' AND s.child_id IS NOT NULL
    UNION
    SELECT b.above, r.id FROM below b JOIN runs_run r
    ON r.parent_id = b.id OR r.former_id = b.id AND (r.relation = 'handover' OR r.source = 'retry')
)
SELECT b.above, r.id, r.state, s.number, s.name, s.state
FROM below b JOIN runs_run r ON r.id = b.id LEFT JOIN runs_step s ON s.run_id = r.id
    AND s.kind NOT IN ('decision_wait', 'delegation') AND s.effect = ANY(%(effects)s)
    AND s.state IN ('succeeded', 'unknown', 'intended')
WHERE s.number IS NOT NULL OR r.state <> ALL(%(ended)s)
ORDER BY b.above, s.number IS NULL, r.id, s.number LIMIT 1
"""


def refuse_done(run: Run, again: Sequence[Step]) -> None:
    """Raise ConflictError if one of the last steps of a run, or a run below it, did or may have done something."""
    own = next((step for step in again if _did(step)), None)
    below = _below(run, again[0].number) if any(step.child_id for step in again) else None
    if below is not None and (own is None or below[0] < own.number):
        raise ConflictError(below[1])
    if own is not None:
        raise ConflictError(
            f"Step {own.number} ({own.name}) {_surely(own.state)}, and a retry would do it again: "
            f"{_instead(own.number)}"
        )


def _did(step: Step) -> bool:
    did = step.state in {StepState.SUCCEEDED, StepState.UNKNOWN} and step.kind != StepKind.DECISION_WAIT
    return did and step.effect in _DOES_SOMETHING


def _below(run: Run, first: int) -> tuple[int, str] | None:
    """The first delegation from step `first` on that cannot be repeated, and why; None if all can."""
    given: dict[str, Any] = {
        "run": run.pk,
        "first": first,
        "effects": sorted(_DOES_SOMETHING),
        "ended": [str(one) for one in ENDED],
    }
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, given)
        row = cursor.fetchone()
    if row is None:
        return None
    above, identifier, state, number, name, was = row
    if number is None:
        return above, f"Run {identifier}, below step {above}, has not ended (it is {state}): wait until it has."
    return above, (
        f"Step {number} ({name}) of run {identifier}, below step {above}, {_surely(was)}, and a retry would "
        f"do it again: {_instead(above)}"
    )


def _surely(state: str) -> str:
    return "was done" if state == StepState.SUCCEEDED else "may have been done"


def _instead(number: int) -> str:
    return f"retry from step {number + 1}, or fork the run if that is what you want."
