"""Taking runs: many leases with one statement, and with them all that the rows say of each run."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.db import models

from agents.runs.claims import Lease
from agents.runs.database import engine_pool
from agents.runs.journal import ENGINE
from agents.runs.models import Run, Session, Step
from foundation.tenancy.instances import instance_of

log = structlog.get_logger(__name__)

_Row = TypeVar("_Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Taken:
    """A run whose lease this worker has, with its session and journal; `read` the journal first unless `is_read`."""

    lease: Lease
    run: Run
    session: Session
    steps: list[Step] = field(default_factory=list)
    is_read: bool = True


def _columns(model: type[models.Model], alias: str) -> str:
    return ", ".join(f'{alias}."{one.column}"' for one in model._meta.concrete_fields)


# How often its worker has died, once a run is taken.
_CRASHES = "crashes + (state = 'running')::int"


def _oldest(more: str, but: str, worker: str, most: str, named: str = "'{}'::uuid[]") -> str:
    """Locks as many runs as there are to be that are ready: suspects first, then lost ones, then the oldest.

    Of all that a worker has when it dies, one may be what it dies of. So from the second crash without progress on, a
    worker has the fewer of them at a time the more often they crashed; and one that is stopped after the next has it
    for itself: none is taken before that has got further.
    """
    suspicious = f"{_CRASHES} BETWEEN 2 AND {most}"
    return f"""
at_work AS MATERIALIZED (SELECT count(*) AS runs, max(crashes) AS crashes FROM runs_run
    WHERE crashes > 1 AND state = 'running' AND worker = {worker} AND lease_until > statement_timestamp()),
suspected AS MATERIALIZED (SELECT id, {_CRASHES} AS crashes FROM runs_run
    WHERE crashes > 0 AND state IN ('queued', 'running', 'waiting') AND {suspicious} AND (state = 'queued'
        OR state = 'running' AND lease_until < statement_timestamp()
        OR state = 'waiting' AND wake_at <= statement_timestamp())
        AND CASE WHEN {more} > 0 THEN {but} ELSE id = ANY({named}) END
    ORDER BY 2, id LIMIT CASE WHEN {more} > 0 THEN {more} ELSE cardinality({named}) END FOR UPDATE SKIP LOCKED),
suspects AS (SELECT id, crashes FROM (SELECT *, row_number() OVER (ORDER BY crashes, id) AS place FROM suspected) s
    WHERE place + (SELECT runs FROM at_work) <= 1 << least({most} - crashes, 20)),
room AS (SELECT count(*) AS taken,
    coalesce(greatest(max(crashes), (SELECT crashes FROM at_work)) = {most}, false) AS is_given FROM suspects),
queued AS MATERIALIZED (SELECT id FROM runs_run WHERE state = 'queued' AND NOT {suspicious} AND {but}
    ORDER BY id LIMIT {more} FOR UPDATE SKIP LOCKED),
lost AS MATERIALIZED (SELECT id FROM runs_run
    WHERE state = 'running' AND lease_until < statement_timestamp() AND NOT {suspicious} AND {but}
    ORDER BY lease_until LIMIT {more} FOR UPDATE SKIP LOCKED),
slept AS MATERIALIZED (SELECT id FROM runs_run
    WHERE state = 'waiting' AND wake_at <= statement_timestamp() AND NOT {suspicious} AND {but}
    ORDER BY wake_at LIMIT {more} FOR UPDATE SKIP LOCKED),
oldest AS (SELECT id FROM suspects UNION ALL (
    SELECT id FROM (SELECT id, 1 AS turn FROM queued UNION ALL SELECT id, 0 FROM lost UNION ALL SELECT id, 1 FROM slept)
        AS one
    ORDER BY turn, id LIMIT (SELECT CASE WHEN is_given THEN 0 ELSE greatest({more} - taken, 0) END FROM room)))
"""  # noqa: S608 - names of ours


def _leased(worker: str, lease: str) -> str:
    """What becomes of a run that is taken."""
    return f"""
state = 'running', fence = r.fence + 1, worker = {worker},
lease_until = clock_timestamp() + make_interval(secs => {lease}),
crashes = r.crashes + (r.state = 'running')::int, started_at = coalesce(r.started_at, clock_timestamp()),
waits_for = '', waits_on = NULL, wake_at = NULL
"""


# A run that waits is taken when its time has come; one whose lease has run out, when its worker must be dead.
_TAKE = f"""
WITH named AS MATERIALIZED (SELECT id FROM runs_run WHERE id = ANY(%(runs)s) AND (state = 'queued'
        OR state = 'running' AND lease_until < clock_timestamp()
        OR state = 'waiting' AND wake_at <= clock_timestamp())
        AND NOT {_CRASHES} BETWEEN 2 AND %(most)s
    ORDER BY id FOR UPDATE SKIP LOCKED),
{_oldest("%(more)s", "NOT id = ANY(%(runs)s)", "%(worker)s", "%(most)s", "%(runs)s")},
ready AS (SELECT id FROM named WHERE NOT (SELECT is_given FROM room) UNION ALL SELECT id FROM oldest),
taken AS (UPDATE runs_run r SET {_leased("%(worker)s", "%(lease)s")} FROM ready WHERE r.id = ready.id RETURNING r.*)
SELECT r.deadline <= clock_timestamp(), {_columns(Run, "r")}, {_columns(Session, "s")}
FROM taken r JOIN runs_session s ON s.id = r.session_id ORDER BY r.id
"""  # noqa: S608 - names of ours

# For a batch, in whose statement runs end: `more` others are taken in their places. What the statement changes in the
# sessions that it writes to is not seen by itself, so that no run of these is taken with it.
_COLUMNS = "more bigint, worker text, lease float, sessions uuid[], most int"
_GIVEN = f"(SELECT {{}} FROM json_to_recordset(:taken) AS one({_COLUMNS}))"  # noqa: S608 - names of ours
_SESSIONS = f"session_id NOT IN {_GIVEN.format('unnest(sessions)')}"
TAKEN = f"""
WITH {_oldest(_GIVEN.format("more"), _SESSIONS, _GIVEN.format("worker"), _GIVEN.format("most"))}
UPDATE runs_run r SET {_leased(_GIVEN.format("worker"), _GIVEN.format("lease"))} FROM oldest WHERE r.id = oldest.id
RETURNING r.*
"""  # noqa: S608 - names of ours
TAKEN_ROWS = """
(SELECT json_agg(json_build_array(t.deadline <= clock_timestamp(), row_to_json(t)::text, row_to_json(s)::text)
    ORDER BY t.id)
FROM taken t JOIN runs_session s ON s.id = t.session_id)
"""

_STEPS = f"""
SELECT {_columns(Step, "s")} FROM unnest(%s::uuid[]) AS one(run) JOIN runs_step s ON s.run_id = one.run
ORDER BY s.run_id, s.number
"""  # noqa: S608 - names of ours


def take(worker: str, lease_seconds: float, runs: Sequence[UUID] = (), more: int = 0) -> list[Taken]:
    """Lease these runs, as far as they are ready, and up to `more` others that are: lost ones, then the oldest."""
    values = {"runs": list(runs), "more": more, "worker": worker, "lease": lease_seconds,
              "most": settings.RUN_MAX_CRASHES}  # fmt: skip
    try:
        return _take(values)
    except psycopg.OperationalError:
        # The connection had died in the pool, and so may the others: nothing was taken, or its lease will run out.
        engine_pool().check()
        return _take(values)


def taken_with(rows: Iterable[tuple[bool, str, str]]) -> list[Taken]:
    """The runs that a batch has taken, as TAKEN_ROWS tells of them.

    It never raises: the batch is committed. One that cannot be read is left to its lease, which runs out.
    """
    taken = []
    for late, run, session in rows:
        try:
            taken.append(_taken(late, _told(Run, run), _told(Session, session), []))
        except Exception:
            log.exception("a run that was taken cannot be read")
    return taken


def read(taken: Taken) -> Taken:
    """A run with its journal."""
    if taken.is_read:
        return taken
    with engine_pool().connection() as connection:
        rows = connection.execute(_STEPS, ([taken.run.id],)).fetchall()
    return replace(taken, steps=[instance_of(Step, ENGINE, row) for row in rows], is_read=True)


def _take(values: dict[str, Any]) -> list[Taken]:
    steps: list[Any] = []
    # No transaction around both, which would cost two more turns.
    with engine_pool().connection() as connection:
        rows = connection.execute(_TAKE, values).fetchall()
        runs = [instance_of(Run, ENGINE, row[1 : 1 + _WIDTH]) for row in rows]
        begun = [run.id for run in runs if run.steps_written and run.crashes <= settings.RUN_MAX_CRASHES]
        if begun:
            try:
                steps = connection.execute(_STEPS, (begun,)).fetchall()
            except Exception as error:  # noqa: BLE001 - one that cannot be read must not cost the others their leases
                # These are ours: a journal that is not here is read by whoever works on the run.
                log.warning("journals not read together", error=type(error).__name__)
    journals: dict[UUID, list[Step]] = {run: [] for run in begun}
    for row in steps:
        step = instance_of(Step, ENGINE, row)
        journals[step.run_id].append(step)
    return [
        _taken(bool(row[0]), run, instance_of(Session, ENGINE, row[1 + _WIDTH :]), journals.get(run.id, []))
        for row, run in zip(rows, runs, strict=True)
    ]


_WIDTH = len(Run._meta.concrete_fields)


def _taken(is_late: bool, run: Run, session: Session, steps: list[Step]) -> Taken:  # noqa: FBT001 - a column
    run.session = session
    lease = Lease(run=run.id, organisation=run.organisation_id, fence=run.fence, crashes=run.crashes, is_late=is_late)
    return Taken(lease, run, session, steps, is_read=len(steps) >= run.steps_written)


def _told(model: type[_Row], text: str) -> _Row:
    # As psycopg reads JSON: whole numbers of any size stay what they are.
    values = json.loads(text)
    return instance_of(model, ENGINE, [_value(one, values[str(one.column)]) for one in model._meta.concrete_fields])


def _value(column: "models.Field[Any, Any]", value: Any) -> Any:
    """A value as JSON has it, as the column has it."""
    if value is None:
        return None
    if isinstance(column, (models.UUIDField, models.ForeignKey)):
        return UUID(value)
    return datetime.fromisoformat(value) if isinstance(column, models.DateTimeField) else value
