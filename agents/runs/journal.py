"""The journal's statements: small, typed, set-based SQL under the engine's role.

Every write begins with `hold`: one UPDATE of the run that carries the lease's fencing token. A stale worker's token
matches no row, and its whole transaction is rolled back.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from agents.gate import Cursor
from agents.runs.models import RunState, StepKind, StepState, Wait

ENGINE = "engine"


class StaleLeaseError(Exception):
    """Another worker has the run, or it has ended: whatever this one holds is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to advance a run: valid while the row carries the same fence."""

    run: UUID
    organisation: UUID
    fence: int
    crashes: int


@dataclass(slots=True, kw_only=True)
class StepRow:
    """A new step; values as in `agents.runs.models.Step`."""

    number: int
    kind: StepKind
    state: StepState
    name: str
    decision_id: UUID
    attempt: int = 1
    call_id: str = ""
    effect: str = ""
    idempotency_key: str = ""
    digest: str = ""
    verdict: Mapping[str, Any] = field(default_factory=dict)
    input: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    label: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    child_id: UUID | None = None
    error: str = ""


@dataclass(slots=True, kw_only=True)
class StepOutcome:
    """What became of a step that was intended or waiting."""

    number: int
    state: StepState
    output: Any = None
    label: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    cost: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a commit does to the run itself. Tokens and cost are added; `state` None leaves it running."""

    state: RunState | None = None
    failure: str = ""
    output: Any = None
    waits_for: Wait | str = ""
    waits_on: UUID | None = None
    wake_at: datetime | None = None
    cost: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    rehearsed: bool = False
    admitted: bool = False


@contextmanager
def engine_transaction() -> Iterator[Cursor]:
    """One transaction under the engine's role. Afterwards the connection goes back to the pool."""
    try:
        with transaction.atomic(using=ENGINE), connections[ENGINE].cursor() as cursor:
            yield cursor
    finally:
        release_connection()


def release_connection() -> None:
    """Hold no connection while waiting for a model or a tool."""
    connection = connections[ENGINE]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete() if connection.settings_dict["CONN_MAX_AGE"] else connection.close()


_CLAIM = """
UPDATE runs_run SET state = 'running', fence = fence + 1, worker = %(worker)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
    crashes = crashes + (state = 'running')::int, started_at = coalesce(started_at, clock_timestamp()),
    waits_for = '', waits_on = NULL, wake_at = NULL
WHERE id = %(run)s AND (state = 'queued'
    OR state = 'running' AND lease_until < clock_timestamp()
    OR state = 'waiting' AND wake_at <= clock_timestamp())
RETURNING organisation_id, fence, crashes
"""


def claim(run: UUID, worker: str, lease_seconds: float) -> Lease | None:
    """Take the lease of a run that is ready, or whose lease or waiting time has run out; None if there is nothing."""
    with engine_transaction() as cursor:
        cursor.execute(_CLAIM, {"run": run, "worker": worker, "lease": lease_seconds})
        row = cursor.fetchone()
    return Lease(run=run, organisation=row[0], fence=row[1], crashes=row[2]) if row else None


_HOLD = """
UPDATE runs_run SET
    lease_until = CASE WHEN %(state)s::text IS NULL THEN clock_timestamp() + make_interval(secs => %(lease)s) END,
    state = coalesce(%(state)s, state), failure = %(failure)s, output = %(output)s,
    waits_for = %(waits_for)s, waits_on = %(waits_on)s, wake_at = %(wake_at)s,
    steps_written = steps_written + %(steps)s, events_written = events_written + %(events)s,
    cost = cost + %(cost)s, input_tokens = input_tokens + %(input_tokens)s,
    output_tokens = output_tokens + %(output_tokens)s, rehearsed = rehearsed OR %(rehearsed)s,
    admitted = admitted OR %(admitted)s,
    ended_at = CASE WHEN %(ended)s THEN clock_timestamp() END
WHERE id = %(run)s AND fence = %(fence)s AND state = 'running'
RETURNING events_written
"""


def hold(cursor: Cursor, lease: Lease, lease_seconds: float, change: Change, *, steps: int, events: int) -> int:
    """Write to the run under its fence; the number of its last event. Raises StaleLeaseError."""
    ended = change.state in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.EXPIRED}
    cursor.execute(
        _HOLD,
        {
            "run": lease.run, "fence": lease.fence, "lease": lease_seconds,
            "state": change.state.value if change.state else None, "failure": change.failure,
            "output": None if change.output is None else json.dumps(change.output),
            "waits_for": str(change.waits_for), "waits_on": change.waits_on, "wake_at": change.wake_at,
            "steps": steps, "events": events, "cost": change.cost, "input_tokens": change.input_tokens,
            "output_tokens": change.output_tokens, "rehearsed": change.rehearsed, "admitted": change.admitted,
            "ended": ended,
        },
    )  # fmt: skip
    row = cursor.fetchone()
    if row is None:
        raise StaleLeaseError(lease.run)
    last: int = row[0]
    return last


_STEP = """
INSERT INTO runs_step (run_id, number, organisation_id, kind, state, attempt, name, call_id, effect, idempotency_key,
    digest, decision_id, verdict, input, output, label, provenance, usage, cost, child_id, error, started_at, ended_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '{}', 0, %s, %s, clock_timestamp(),
    CASE WHEN %s THEN clock_timestamp() END)
"""


def add_step(cursor: Cursor, lease: Lease, step: StepRow) -> None:
    """Write one new step."""
    cursor.execute(
        _STEP,
        (
            lease.run, step.number, lease.organisation, step.kind.value, step.state.value, step.attempt, step.name,
            step.call_id, step.effect, step.idempotency_key, step.digest, step.decision_id, json.dumps(step.verdict),
            json.dumps(step.input), None if step.output is None else json.dumps(step.output), json.dumps(step.label),
            json.dumps(step.provenance), step.child_id, step.error,
            step.state not in {StepState.INTENDED, StepState.WAITING},
        ),
    )  # fmt: skip


def finish_step(cursor: Cursor, lease: Lease, outcome: StepOutcome) -> None:
    """Write what became of a step; only one that has no outcome yet takes one."""
    cursor.execute(
        "UPDATE runs_step SET state = %s, output = %s, label = coalesce(%s::jsonb, label), usage = %s, cost = %s, "
        "error = %s, ended_at = CASE WHEN %s <> 'unknown' THEN clock_timestamp() END "
        "WHERE run_id = %s AND number = %s AND state IN ('intended', 'waiting', 'unknown')",
        (
            outcome.state.value, None if outcome.output is None else json.dumps(outcome.output),
            None if outcome.label is None else json.dumps(outcome.label), json.dumps(outcome.usage), outcome.cost,
            outcome.error, outcome.state.value, lease.run, outcome.number,
        ),
    )  # fmt: skip


def repeat_step(cursor: Cursor, lease: Lease, number: int) -> None:
    """Say that a step without an outcome is called once more, with the same key."""
    cursor.execute(
        "UPDATE runs_step SET state = 'intended', attempt = attempt + 1 WHERE run_id = %s AND number = %s",
        (lease.run, number),
    )


def add_events(cursor: Cursor, lease: Lease, last: int, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Write the events whose numbers end at `last`, and ring whoever listens: once per commit, ids only."""
    if not events:
        return
    first = last - len(events) + 1
    cursor.execute(
        "INSERT INTO runs_event (run_id, number, organisation_id, kind, data, at) "
        "SELECT %s, one.number, %s, one.kind, one.data::jsonb, clock_timestamp() "
        "FROM unnest(%s::int[], %s::text[], %s::text[]) AS one(number, kind, data)",
        (
            lease.run,
            lease.organisation,
            list(range(first, last + 1)),
            [kind for kind, _ in events],
            [json.dumps(data) for _, data in events],
        ),
    )
    cursor.execute("SELECT pg_notify('remit_events', %s)", [str(lease.run)])


def wake(cursor: Cursor, run: UUID, waits_on: UUID) -> bool:
    """Make a run ready that waits on this approval, child or person; False if it does not."""
    cursor.execute(
        "UPDATE runs_run SET state = 'queued', waits_for = '', waits_on = NULL, wake_at = NULL, "
        "rung_at = clock_timestamp() WHERE id = %s AND state = 'waiting' AND waits_on = %s RETURNING id",
        (run, waits_on),
    )
    return cursor.fetchone() is not None


_DUE = """
UPDATE runs_run SET rung_at = clock_timestamp() WHERE id IN (
    SELECT id FROM runs_run WHERE rung_at < clock_timestamp() - make_interval(secs => %(patience)s) AND (
        state = 'queued' OR state = 'running' AND lease_until < clock_timestamp()
        OR state = 'waiting' AND wake_at <= clock_timestamp())
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id
"""


def due(patience: float, limit: int) -> list[UUID]:
    """The runs whose bell was lost, whose lease or waiting time has run out; each is named again after `patience` s."""
    with engine_transaction() as cursor:
        cursor.execute(_DUE, {"patience": patience, "limit": limit})
        return [row[0] for row in cursor.fetchall()]


def renew(worker: str, fences: Mapping[UUID, int], lease_seconds: float) -> None:
    """Lengthen the leases that this worker still holds, and say that it lives."""
    with engine_transaction() as cursor:
        cursor.execute(
            "INSERT INTO runs_heartbeat (name, kind, seen_at) VALUES (%s, 'worker', clock_timestamp()) "
            "ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
            [worker],
        )
        if fences:
            cursor.execute(
                "UPDATE runs_run r SET lease_until = clock_timestamp() + make_interval(secs => %s) "
                "FROM unnest(%s::uuid[], %s::bigint[]) AS held(id, fence) "
                "WHERE r.id = held.id AND r.fence = held.fence AND r.state = 'running'",
                [lease_seconds, list(fences), list(fences.values())],
            )
