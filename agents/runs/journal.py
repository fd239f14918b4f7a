"""The journal's statements: steps and events as small, typed, set-based SQL under the engine's role.

They are written after `claims.hold` only, which locks the run and refuses a stale worker.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import django.db
import psycopg
from django.db import connections, transaction

from agents.runs.models import StepKind, StepState
from foundation.batches import Cursor

ENGINE = "engine"
# What is raised when the database is away: nobody's fault but its own. A pool's timeout is one of psycopg's.
DATABASE_AWAY = (django.db.OperationalError, psycopg.OperationalError)


class Place(Protocol):
    """Whose journal: a run of an organisation (a lease is one)."""

    @property
    def run(self) -> UUID:
        """The run."""

    @property
    def organisation(self) -> UUID:
        """Its organisation."""


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


def finish_step(cursor: Cursor, place: Place, outcome: StepOutcome) -> None:
    """Write what became of a step; only one that has no outcome yet takes one."""
    cursor.execute(
        "UPDATE runs_step SET state = %s, output = %s, label = coalesce(%s::jsonb, label), usage = %s, "
        "cost = cost + %s, "
        "error = %s, ended_at = CASE WHEN %s <> 'unknown' THEN clock_timestamp() END "
        "WHERE run_id = %s AND number = %s AND state IN ('intended', 'waiting', 'unknown')",
        (
            outcome.state.value, None if outcome.output is None else json.dumps(outcome.output),
            None if outcome.label is None else json.dumps(outcome.label), json.dumps(outcome.usage), outcome.cost,
            outcome.error, outcome.state.value, place.run, outcome.number,
        ),
    )  # fmt: skip


def is_tools_word(kind: str, state: str) -> bool:
    """Whether a step's error is what the tool itself said, and so a body; a refusal is the gate's or a person's."""
    return kind == StepKind.TOOL_CALL and state != StepState.REFUSED


def recorded_reason(kind: str, state: str, error: str) -> str:
    """What the record says of why a step failed: not what the tool said, which stands at the step."""
    return "The tool's own words stand at the step." if error and is_tools_word(kind, state) else error


def repeat_step(cursor: Cursor, place: Place, number: int) -> None:
    """Say that a step without an outcome is called once more, with the same key."""
    cursor.execute(
        "UPDATE runs_step SET state = 'intended', attempt = attempt + 1 WHERE run_id = %s AND number = %s",
        (place.run, number),
    )


def judge_again(cursor: Cursor, place: Place, number: int, row: StepRow) -> None:
    """Write a new decision on a step that has no outcome: it is called once more, with the same key, or refused."""
    is_refused = row.state is StepState.REFUSED
    cursor.execute(
        "UPDATE runs_step SET state = %s, attempt = %s, decision_id = %s, verdict = %s, digest = %s, provenance = %s, "
        "usage = '{}', error = %s, ended_at = CASE WHEN %s THEN clock_timestamp() END "
        "WHERE run_id = %s AND number = %s",
        (
            row.state.value, row.attempt, row.decision_id, json.dumps(row.verdict), row.digest,
            json.dumps(row.provenance), row.error, is_refused, place.run, number,
        ),
    )  # fmt: skip


def add_events(cursor: Cursor, place: Place, last: int, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Write the events whose numbers end at `last`, and ring whoever listens: once per commit, ids only."""
    if not events:
        return
    first = last - len(events) + 1
    cursor.execute(
        "INSERT INTO runs_event (run_id, number, organisation_id, kind, data, at) "
        "SELECT %s, one.number, %s, one.kind, one.data::jsonb, clock_timestamp() "
        "FROM unnest(%s::int[], %s::text[], %s::text[]) AS one(number, kind, data)",
        (
            place.run,
            place.organisation,
            list(range(first, last + 1)),
            [kind for kind, _ in events],
            [json.dumps(data) for _, data in events],
        ),
    )
    cursor.execute("SELECT pg_notify('remit_events', %s)", [str(place.run)])
