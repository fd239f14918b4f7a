"""How many tokens runs have used: a run by its journal, and all that came of it by what is committed of theirs.

What came of a run are the runs below it, at any depth, and whoever took its session over. Its limit holds for all of
them together, as its money does: else a run that may use little would delegate as much as it likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections

from agents.runs.journal import ENGINE, release_connection
from agents.runs.models import Step, StepKind, StepState
from agents.runs.window import OVERHEAD, bound_of
from agents.runs.work import Work

# The run's own steps are left out: the last of them may not be committed yet.
_OTHERS = """
WITH RECURSIVE family AS (
    SELECT id AS top, id FROM runs_run WHERE id = ANY(%(tops)s) AND max_tokens > 0
    UNION ALL
    SELECT f.top, r.id FROM family f JOIN runs_run r
        ON r.parent_id = f.id OR r.former_id = f.id AND r.relation = 'handover'
), used AS (
    SELECT f.top,
        coalesce((s.usage->>'input_tokens')::bigint, 0) + coalesce((s.usage->>'output_tokens')::bigint, 0) AS told,
        CASE WHEN s.state = 'succeeded' AND s.usage->>'input_tokens' IS NULL
            THEN coalesce((s.input->>'counted')::bigint, 0) ELSE 0 END
        + CASE WHEN s.state = 'succeeded' AND s.usage->>'output_tokens' IS NULL
            THEN octet_length(s.output::text) + %(overhead)s ELSE 0 END AS estimated
    FROM family f JOIN runs_step s ON s.run_id = f.id
    WHERE f.id <> %(run)s AND s.kind = 'model_call' AND NOT s.usage ? 'copied'
)
SELECT r.id, r.max_tokens, coalesce(sum(u.told), 0), coalesce(sum(u.estimated), 0)
FROM runs_run r LEFT JOIN used u ON u.top = r.id WHERE r.id = ANY(%(tops)s) AND r.max_tokens > 0
GROUP BY r.id ORDER BY r.depth DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What counts against a limit of tokens; `estimated` is of answers whose endpoint did not say.

    `is_own`: the limit is the run's own, and not that of a run that it came of; `has_family`: others counted as well.
    """

    limit: int
    told: int
    estimated: int
    is_own: bool = True
    has_family: bool = False

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.told + self.estimated


def used(work: Work) -> list[Used]:
    """What counts against each limit of tokens that a run has: its own, then those of the runs that it came of."""
    most = work.run.max_tokens
    if not most:
        # It would have that of a run that it came of, if one of these had any.
        return []
    told, estimated = sum(map(_told, work.steps)), sum(map(_estimated, work.steps))
    if not work.line and not any(step.child_id for step in work.steps):
        return [Used(limit=most, told=told, estimated=estimated)]
    return [
        Used(limit=limit, told=told + theirs, estimated=estimated + guessed, is_own=top == work.run.id, has_family=True)
        for top, limit, theirs, guessed in _others(work.run.id, work.line)
    ]


def is_copied(step: Step) -> bool:
    """Whether it was another run's, which a fork shares: there it counted."""
    return "copied" in step.usage


def _others(run: UUID, line: Sequence[UUID]) -> list[tuple[UUID, int, int, int]]:
    given: dict[str, Any] = {"run": run, "tops": [run, *line], "overhead": OVERHEAD}
    with connections[ENGINE].cursor() as cursor:
        cursor.execute(_OTHERS, given)
        rows = [(top, limit, int(told), int(estimated)) for top, limit, told, estimated in cursor.fetchall()]
    release_connection()
    return rows


def _told(step: Step) -> int:
    return 0 if is_copied(step) else (step.usage.get("input_tokens") or 0) + (step.usage.get("output_tokens") or 0)


def _estimated(step: Step) -> int:
    """The most tokens that an answer may have cost whose endpoint does not say: as the context is counted, by bytes."""
    if step.kind != StepKind.MODEL_CALL or step.state != StepState.SUCCEEDED or is_copied(step):
        return 0
    sent = step.input.get("counted", 0) if step.usage.get("input_tokens") is None else 0
    return sent + (bound_of(step.output) if step.usage.get("output_tokens") is None else 0)
