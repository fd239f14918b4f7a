"""The run's own row: who may advance it, what a commit does to it, what wakes it. Small SQL under the engine's role.

Every write to a run carries its lease's fencing token. A stale worker's token matches no row, and its whole transaction
is rolled back.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from psycopg import Connection

from agents.runs.journal import engine_transaction
from agents.runs.models import ENDED, RunState, Wait
from foundation.batches import Cursor


class StaleLeaseError(Exception):
    """Another worker has the run, or it has ended: whatever this one holds is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to advance a run: valid while the row carries the same fence. `is_late`: past its time limit."""

    run: UUID
    organisation: UUID
    fence: int
    crashes: int = 0
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a commit does to the run itself; `state` None leaves it running.

    Crashes are counted anew once a step has succeeded: only a run that gets nowhere is stopped for them.
    """

    state: RunState | None = None
    failure: str = ""
    output: Any = None
    waits_for: Wait | str = ""
    waits_on: UUID | None = None
    wake_at: datetime | None = None
    admitted: bool = False
    crashed: bool = False

    @property
    def ends(self) -> bool:
        """Whether the run has ended with it."""
        return self.state in ENDED


# No wait outlasts the time limit, but that for a person's word on what nobody else knows.
_HOLD = """
UPDATE runs_run SET
    lease_until = CASE WHEN %(state)s::text IS NULL THEN clock_timestamp() + make_interval(secs => %(lease)s) END,
    state = coalesce(%(state)s, state), failure = %(failure)s, output = %(output)s,
    waits_for = %(waits_for)s, waits_on = %(waits_on)s,
    wake_at = CASE WHEN %(state)s = 'waiting' AND %(waits_for)s <> 'person' THEN least(%(wake_at)s, deadline) END,
    events_written = events_written + %(events)s, cost = cost + %(cost)s, crashes = crashes + %(crashed)s::int,
    ended_at = CASE WHEN %(ended)s THEN clock_timestamp() END
WHERE id = %(run)s AND fence = %(fence)s AND state = 'running'
RETURNING events_written
"""


def hold(cursor: Cursor, lease: Lease, lease_seconds: float, change: Change, *, events: int, cost: int = 0) -> int:
    """Write to the run under its fence, where the engine itself has failed; the number of its last event.

    Whatever the engine does in order goes through `agents.runs.commits`. Raises StaleLeaseError.
    """
    cursor.execute(
        _HOLD,
        {
            "run": lease.run, "fence": lease.fence, "lease": lease_seconds,
            "state": change.state.value if change.state else None, "failure": change.failure,
            "output": None if change.output is None else json.dumps(change.output),
            "waits_for": str(change.waits_for), "waits_on": change.waits_on, "wake_at": change.wake_at,
            "events": events, "cost": cost, "crashed": change.crashed, "ended": change.ends,
        },
    )  # fmt: skip
    row = cursor.fetchone()
    if row is None:
        raise StaleLeaseError(lease.run)
    last: int = row[0]
    return last


def wake(cursor: Cursor, run: UUID, waits_on: UUID) -> bool:
    """Make a run ready that waits on this approval, child or person; False if it does not.

    The row is locked first: a worker that is just about to write that it waits is waited for, not missed.
    """
    cursor.execute("SELECT id FROM runs_run WHERE id = %s FOR UPDATE", (run,))
    cursor.execute(
        "UPDATE runs_run SET state = 'queued', waits_for = '', waits_on = NULL, wake_at = NULL, "
        "rung_at = clock_timestamp() WHERE id = %s AND state = 'waiting' AND waits_on = %s RETURNING id",
        (run, waits_on),
    )
    return cursor.fetchone() is not None


# Each part walks an index of its own, however many runs there are; a clock that is stable within the statement lets it.
_DUE = """
WITH queued AS (
    SELECT id FROM runs_run WHERE state = 'queued'
        AND rung_at < statement_timestamp() - make_interval(secs => %(patience)s)
    ORDER BY rung_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), lost AS (
    SELECT id FROM runs_run WHERE state = 'running' AND lease_until < statement_timestamp()
        AND rung_at < greatest(lease_until, statement_timestamp() - make_interval(secs => %(patience)s))
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), slept AS (
    SELECT id FROM runs_run WHERE state = 'waiting' AND wake_at <= statement_timestamp()
        AND rung_at < greatest(wake_at, statement_timestamp() - make_interval(secs => %(patience)s))
    ORDER BY wake_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE runs_run SET rung_at = clock_timestamp() WHERE id = ANY (ARRAY(
    SELECT id FROM lost UNION ALL SELECT id FROM slept UNION ALL SELECT id FROM queued))
RETURNING id
"""


def due(patience: float, limit: int) -> list[UUID]:
    """The runs whose bell was lost, whose lease or waiting time has run out: of each so many, those of longest ago.

    Each is named again after `patience` seconds.
    """
    with engine_transaction() as cursor:
        cursor.execute(_DUE, {"patience": patience, "limit": limit})
        return [row[0] for row in cursor.fetchall()]


_RENEW = """
WITH alive AS (
    INSERT INTO runs_heartbeat (name, kind, seen_at, slots, busy, draining, release)
    VALUES (%(worker)s, 'worker', clock_timestamp(), %(slots)s, %(busy)s, %(draining)s, %(release)s)
    ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, slots = excluded.slots, busy = excluded.busy,
        draining = excluded.draining, release = excluded.release
), held AS MATERIALIZED (
    SELECT r.id FROM runs_run r JOIN unnest(%(runs)s::uuid[], %(fences)s::bigint[]) AS held(id, fence)
        ON r.id = held.id AND r.fence = held.fence AND r.state = 'running'
    ORDER BY r.id FOR UPDATE OF r SKIP LOCKED
)
UPDATE runs_run SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s) WHERE id IN (SELECT id FROM held)
"""


def renew(
    connection: "Connection[tuple[object, ...]]", worker: str, leases: Collection[Lease], lease_seconds: float,
    slots: int, busy: int, draining: bool,  # noqa: FBT001 - a column
) -> None:  # fmt: skip
    """Lengthen the leases that this worker still holds, and say that it lives and how busy it is. One statement.

    What is being committed at this moment is passed over: the commit itself lengthens the lease.
    """
    values = {"worker": worker, "slots": slots, "busy": busy, "draining": draining, "release": settings.RELEASE,
              "runs": [one.run for one in leases], "fences": [one.fence for one in leases],
              "lease": lease_seconds}  # fmt: skip
    connection.execute(_RENEW, values)
