"""What a retry would do again: what the run itself did, and what the runs did that it had delegated to.

A delegation that failed is no proof that nothing happened: its run may have done much before it ended.
"""

from typing import Any

from django.db import connection

from agents.runs.models import ENDED, Run, StepState
from agents.tools.port import ToolEffect
from foundation.errors import ConflictError

# What did something, or may have: a step that is still intended may have left.
_DID = """
s.kind <> 'decision_wait' AND s.effect = ANY(%(effects)s) AND s.state IN ('succeeded', 'unknown', 'intended')
"""

# The first step to be repeated that did something, or below which something was done or goes on. Looked for below are
# the runs of each delegation, with those that took over from them or retried them; what a delegation below did is
# found in its own run.
_FIRST = f"""
WITH RECURSIVE below AS (
    SELECT s.number AS above, s.child_id AS id FROM runs_step s
    WHERE s.run_id = %(run)s AND s.number >= %(first)s AND s.kind = 'delegation' AND s.child_id IS NOT NULL
    UNION
    SELECT b.above, r.id FROM below b JOIN runs_run r
    ON r.parent_id = b.id OR r.former_id = b.id AND (r.relation = 'handover' OR r.source = 'retry')
)
SELECT * FROM (
    SELECT s.number AS above, NULL AS below, NULL AS was, s.number, s.name, s.state FROM runs_step s
    WHERE s.run_id = %(run)s AND s.number >= %(first)s AND {_DID}
    UNION ALL
    SELECT b.above, r.id, r.state, s.number, s.name, s.state FROM below b JOIN runs_run r ON r.id = b.id
        LEFT JOIN runs_step s ON s.run_id = r.id AND s.kind <> 'delegation' AND {_DID}
    WHERE s.number IS NOT NULL OR r.state <> ALL(%(ended)s)
) AS one ORDER BY above, below IS NOT NULL, number IS NULL, below, number LIMIT 1
"""  # noqa: S608 - names of ours


def refuse_done(run: Run, first: int) -> None:
    """Raise ConflictError if a step of a run from `first` on, or a run below it, did or may have done something."""
    given: dict[str, Any] = {
        "run": run.pk,
        "first": first,
        "effects": [ToolEffect.EFFECT.value, ToolEffect.IDEMPOTENT.value],
        "ended": [str(one) for one in ENDED],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, given)
        row = cursor.fetchone()
    if row is None:
        return
    above, below, was, number, name, state = row
    if number is None:
        raise ConflictError(f"Run {below}, below step {above}, has not ended (it is {was}): wait until it has.")
    where = f" of run {below}, below step {above}," if below else ""
    raise ConflictError(
        f"Step {number} ({name}){where} {_surely(state)}, and a retry would do it again: "
        f"retry from step {above + 1}, or fork the run if that is what you want."
    )


def _surely(state: str) -> str:
    return "was done" if state == StepState.SUCCEEDED else "may have been done"
