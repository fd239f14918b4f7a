"""Taking runs: many leases with one statement, and with them all that the rows say of each run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import models

from agents.runs.claims import Lease
from agents.runs.database import engine_pool
from agents.runs.journal import ENGINE
from agents.runs.models import Run, Session, Step

_Row = TypeVar("_Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Taken:
    """A run whose lease this worker has, with its session and journal."""

    lease: Lease
    run: Run
    session: Session
    steps: list[Step] = field(default_factory=list)


def _columns(model: type[models.Model], alias: str) -> str:
    return ", ".join(f'{alias}."{one.column}"' for one in model._meta.concrete_fields)


# A run that waits is taken when its time has come; one whose lease has run out, when its worker must be dead.
_TAKE = f"""
WITH named AS MATERIALIZED (SELECT id FROM runs_run WHERE id = ANY(%(runs)s) AND (state = 'queued'
        OR state = 'running' AND lease_until < clock_timestamp()
        OR state = 'waiting' AND wake_at <= clock_timestamp())
    ORDER BY id FOR UPDATE SKIP LOCKED),
queued AS MATERIALIZED (SELECT id FROM runs_run WHERE state = 'queued' AND NOT id = ANY(%(runs)s)
    ORDER BY id LIMIT %(more)s FOR UPDATE SKIP LOCKED),
lost AS MATERIALIZED (SELECT id FROM runs_run
    WHERE state = 'running' AND lease_until < statement_timestamp() AND NOT id = ANY(%(runs)s)
    ORDER BY lease_until LIMIT %(more)s FOR UPDATE SKIP LOCKED),
slept AS MATERIALIZED (SELECT id FROM runs_run
    WHERE state = 'waiting' AND wake_at <= statement_timestamp() AND NOT id = ANY(%(runs)s)
    ORDER BY wake_at LIMIT %(more)s FOR UPDATE SKIP LOCKED),
oldest AS (SELECT id, 1 AS turn FROM queued UNION ALL SELECT id, 0 FROM lost UNION ALL SELECT id, 1 FROM slept
    ORDER BY turn, id LIMIT %(more)s),
ready AS (SELECT id FROM named UNION ALL SELECT id FROM oldest),
taken AS (UPDATE runs_run r SET state = 'running', fence = r.fence + 1, worker = %(worker)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
        crashes = r.crashes + (r.state = 'running')::int, started_at = coalesce(r.started_at, clock_timestamp()),
        waits_for = '', waits_on = NULL, wake_at = NULL
    FROM ready WHERE r.id = ready.id RETURNING r.*)
SELECT r.deadline <= clock_timestamp(), {_columns(Run, "r")}, {_columns(Session, "s")}
FROM taken r JOIN runs_session s ON s.id = r.session_id ORDER BY r.id
"""  # noqa: S608 - names of ours

_STEPS = f"""
SELECT {_columns(Step, "s")} FROM unnest(%s::uuid[]) AS one(run) JOIN runs_step s ON s.run_id = one.run
ORDER BY s.run_id, s.number
"""  # noqa: S608 - names of ours


def take(worker: str, lease_seconds: float, runs: Sequence[UUID] = (), more: int = 0) -> list[Taken]:
    """Lease these runs, as far as they are ready, and up to `more` others that are: lost ones, then the oldest."""
    values = {"runs": list(runs), "more": more, "worker": worker, "lease": lease_seconds}
    try:
        return _take(values)
    except psycopg.OperationalError:
        # The connection had died in the pool, and so may the others: nothing was taken, or its lease will run out.
        engine_pool().check()
        return _take(values)


def _take(values: dict[str, Any]) -> list[Taken]:
    with engine_pool().connection() as connection, connection.transaction():
        rows = connection.execute(_TAKE, values).fetchall()
        begun = [run for row in rows if (run := _run(row)).steps_written]
        steps = connection.execute(_STEPS, ([run.id for run in begun],)).fetchall() if begun else []
    journals: dict[UUID, list[Step]] = {}
    for row in steps:
        step = _made(Step, row)
        journals.setdefault(step.run_id, []).append(step)
    return [_taken(row, journals) for row in rows]


_WIDTH = len(Run._meta.concrete_fields)


def _run(row: Sequence[Any]) -> Run:
    return _made(Run, row[1 : 1 + _WIDTH])


def _taken(row: Sequence[Any], journals: dict[UUID, list[Step]]) -> Taken:
    run, session = _run(row), _made(Session, row[1 + _WIDTH :])
    run.session = session
    lease = Lease(run=run.id, organisation=run.organisation_id, fence=run.fence, crashes=run.crashes, is_late=row[0])
    return Taken(lease, run, session, journals.get(run.id, []))


def _made(model: type[_Row], row: Iterable[Any]) -> _Row:
    return model.from_db(ENGINE, [one.attname for one in model._meta.concrete_fields], list(row))
