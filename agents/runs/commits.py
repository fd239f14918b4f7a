"""The rows of one or many runs' commits, written with few statements: money and decisions, then the journal.

A commit of a run holds what became of its former step, its next intent, its own row, events and record. Runs that
commit at the same moment share a transaction; each member keeps its own outcome. No member may spoil another: if one
of them turns out to be void, nothing is written at all, and each is then committed by itself.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings

from agents.gate import Admission, Effect, Settlement, Verdict, get_gate
from agents.runs.clock import clock
from agents.runs.entries import Commit, Entries, Event, Pending
from agents.runs.journal import StepOutcome, StepRow, recorded_reason
from agents.runs.leases import keeper
from agents.runs.models import RunState, Step, StepKind, StepState
from agents.runs.taking import TAKEN, TAKEN_ROWS, taken_with
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.batches import Batch, Cursor, few

# A lease that lasts for long enough is left as it is: the column is indexed, and a change of it touches every index.
# `|| ''`: else the planner would walk the index of all runs that are running.
_HELD_GIVEN = few(
    "held",
    "id uuid, fence bigint, lease float, state text, failure text, output jsonb, waits_for text, waits_on uuid, "
    "wake_at timestamptz, steps int, events int, cost bigint, input_tokens bigint, output_tokens bigint, "
    "rehearsed bool, admitted bool, progressed bool, crashed bool, ended bool, begins bool",
)
_HELD = f"""
UPDATE runs_run r SET
    lease_until = CASE WHEN x.state IS NOT NULL THEN NULL
        WHEN r.lease_until > clock_timestamp() + make_interval(secs => x.lease / 2) THEN r.lease_until
        ELSE clock_timestamp() + make_interval(secs => x.lease) END,
    state = coalesce(x.state, r.state), failure = x.failure, output = x.output,
    waits_for = x.waits_for, waits_on = x.waits_on,
    wake_at = CASE WHEN x.state = 'waiting' AND x.waits_for <> 'person' THEN least(x.wake_at, r.deadline) END,
    steps_written = r.steps_written + x.steps, events_written = r.events_written + x.events,
    cost = r.cost + x.cost, input_tokens = r.input_tokens + x.input_tokens,
    output_tokens = r.output_tokens + x.output_tokens, rehearsed = r.rehearsed OR x.rehearsed,
    admitted = r.admitted OR x.admitted,
    crashes = CASE WHEN x.progressed THEN 0 ELSE r.crashes + x.crashed::int END,
    ended_at = CASE WHEN x.ended THEN clock_timestamp() END
FROM {_HELD_GIVEN} AS x
WHERE r.id = x.id AND r.fence = x.fence AND r.state || '' = 'running' AND (x.ended AND NOT x.begins
    OR NOT r.cancel_requested AND (r.deadline > clock_timestamp() OR x.waits_for = 'person')
        AND NOT (r.pause_requested AND x.begins) AND (r.pause_requested OR x.waits_for <> 'pause'))
RETURNING r.id, r.events_written, r.pause_requested
"""  # noqa: S608 - names of ours
# Refuses when a lease is stale or a run is to end, when one that is to pause would begin an act, and when one would
# wait for the end of a pause that has ended: nothing is then written at all. An end that is itself an act, as a
# hand-over is, is refused like any other.
_ALL_HELD = "1 / ((SELECT count(*) FROM held) = json_array_length(:held))::int"
_HELD_ROWS = "(SELECT json_agg(json_build_array(id, events_written, pause_requested)) FROM held)"
_FINISHED_GIVEN = few(
    "finished",
    "run_id uuid, number int, state text, output jsonb, label jsonb, usage jsonb, cost bigint, error text",
)
_FINISHED = f"""
UPDATE runs_step s SET state = x.state, output = x.output, label = coalesce(x.label, s.label), usage = x.usage,
    cost = s.cost + x.cost, error = x.error, ended_at = CASE WHEN x.state <> 'unknown' THEN clock_timestamp() END
FROM {_FINISHED_GIVEN} AS x
WHERE s.run_id = x.run_id AND s.number = x.number AND s.state IN ('intended', 'waiting', 'unknown')
"""  # noqa: S608 - names of ours
_ADDED = """
INSERT INTO runs_step (run_id, number, organisation_id, kind, state, attempt, name, call_id, effect, idempotency_key,
    digest, decision_id, verdict, input, output, label, provenance, usage, cost, child_id, error, started_at, ended_at)
SELECT run_id, number, organisation_id, kind, state, attempt, name, call_id, effect, idempotency_key, digest,
    decision_id, verdict, input, output, label, provenance, '{}', 0, child_id, error, clock_timestamp(),
    CASE WHEN state NOT IN ('intended', 'waiting') THEN clock_timestamp() END
FROM json_to_recordset(:added) AS x(run_id uuid, number int, organisation_id uuid, kind text, state text,
    attempt int, name text, call_id text, effect text, idempotency_key text, digest text, decision_id uuid,
    verdict jsonb, input jsonb, output jsonb, label jsonb, provenance jsonb, child_id uuid, error text)
"""
_TOLD = """
INSERT INTO runs_event (run_id, number, organisation_id, kind, data, at)
SELECT x.run_id, h.events_written - x.before_last, x.organisation_id, x.kind, x.data, clock_timestamp()
FROM json_to_recordset(:told) AS x(run_id uuid, before_last int, organisation_id uuid, kind text,
    data jsonb) JOIN held h ON h.id = x.run_id
"""
_LABELLED_GIVEN = few("labelled", "id uuid, label jsonb")
_LABELLED = f"""
UPDATE runs_session s SET label = x.label
FROM {_LABELLED_GIVEN} AS x WHERE s.id = x.id
"""  # noqa: S608 - names of ours
_BELL = """
pg_notify('remit_events', (SELECT string_agg(DISTINCT run_id::text, ',')
    FROM json_to_recordset(:told) AS x(run_id uuid)))
"""


def write(cursor: Cursor, commits: Sequence[Commit]) -> None:
    """Write commits in the caller's transaction.

    Raises an error of the database, which ends the transaction, when a lease is stale or a run is to end.
    """
    batch = Batch(cursor)
    verdicts, settlements = _acts(commits)
    _fill(commits, *get_gate().commit(batch, verdicts, settlements))
    for one in commits:
        for act in one.entries.sooner:
            act(cursor)
    _flush(batch, commits)
    for one in commits:
        for act in one.entries.later:
            act(cursor)


def write_at_once(cursor: Cursor, commits: Sequence[Commit]) -> bool:
    """Write commits with one statement of a sender, a transaction by itself, if all their acts are allowed.

    False if there is more to it: nothing was written, and `write` does it. Raises as `write`, and also where `write`
    would refuse an act.
    """
    batch = Batch(cursor, is_raw=True)
    assumed = get_gate().assume(batch, *_acts(commits))
    if assumed is None:
        return False
    _fill(commits, *assumed)
    if not all(one.entries.is_shareable for one in commits):
        return False
    _flush(batch, commits, [one for one in commits if one.makes_room])
    return True


def _flush(batch: Batch, commits: Sequence[Commit], leaving: Sequence[Commit] = ()) -> None:
    _gather(batch, commits)
    record(*(line for one in commits for line in _told(one)), cursor=batch)
    if leaving:
        sessions = [one.work.session.id for one in commits]
        batch.add("taken", TAKEN, [{"more": len(leaving), "worker": keeper.worker, "sessions": sessions,
                                    "lease": settings.RUN_LEASE_SECONDS,
                                    "most": settings.RUN_MAX_CRASHES}])  # fmt: skip
        batch.answer("taken", TAKEN_ROWS)
    began = time.monotonic()
    answers = batch.flush()
    # Django's cursors give JSON as text, psycopg's as values; a sender gives all as text.
    now, held = answers["now"], answers["held"]
    clock.set(datetime.fromisoformat(now) if isinstance(now, str) else now)
    found = {one[0]: one[1:] for one in (orjson.loads(held) if isinstance(held, str) else held)}
    for one in commits:
        one.last_event, one.is_pausing = found[str(one.work.run.id)]
        one.began = began
    if leaving and (taken := answers["taken"]):
        for one, successor in zip(leaving, taken_with(orjson.loads(taken)), strict=False):
            one.successor = successor


def _acts(commits: Sequence[Commit]) -> tuple[list[Verdict], list[Settlement]]:
    judged = [one for one in commits if one.verdict is not None]
    verdicts = [verdict for one in judged for verdict in (one.opening, one.verdict) if verdict is not None]
    return verdicts, [_settlement(one, pending) for one in commits for pending in one.all_outcomes]


def _fill(commits: Sequence[Commit], admissions: Sequence[Admission], booked: Sequence[int]) -> None:
    """Let each fill its entries as the gate admitted its act, and know what its former ones cost."""
    judged = [one for one in commits if one.verdict is not None]
    answers = iter(admissions)
    for one in judged:
        if one.opening is not None and (opened := next(answers)).effect is not Effect.ALLOW and not opened.retry:
            raise ValueError("A run that may start was not let in.")
        one.admission = next(answers)
    costs = iter(booked)
    for one in commits:
        for outcome, _ in one.all_outcomes:
            outcome.cost = next(costs)
    for one in judged:
        if one.decide is not None and one.admission is not None:
            # Anew at each attempt: a first one may have come to nothing.
            one.entries = Entries(one.entries.own_cursor)
            if not one.admission.retry:
                one.decide(one.entries, one.admission)


def _settlement(commit: Commit, pending: Pending) -> Settlement:
    outcome, cost = pending
    decision = commit.step(outcome.number).decision_id
    if decision is None:
        raise ValueError(f"step {outcome.number} has no decision")
    run = commit.work.run
    return Settlement(organisation=run.organisation_id, decision=decision, run=run.id, cost=cost)


def _gather(batch: Batch, commits: Sequence[Commit]) -> None:
    lease = settings.RUN_LEASE_SECONDS
    events = [(one, _events(one)) for one in commits]
    batch.add("held", _HELD, [_run(one, lease, len(its)) for one, its in events])
    batch.add("finished", _FINISHED, [_outcome(one, done) for one in commits for done, _ in one.all_outcomes])
    batch.add("added", _ADDED, [_step(one, step) for one in commits for step in one.entries.steps])
    batch.add("labelled", _LABELLED, [
        {"id": one.work.session.id, "label": one.work.label.as_json()} for one in commits if one.learnt
    ])  # fmt: skip
    told = [_event(one, its, place) for one, its in events for place in range(len(its))]
    batch.add("told", _TOLD, told)
    batch.answer("all held", _ALL_HELD)
    batch.answer("held", _HELD_ROWS)
    batch.answer("now", "clock_timestamp()")
    if told:
        batch.answer("bell", _BELL)


def _event(commit: Commit, events: Sequence[Event], place: int) -> dict[str, Any]:
    run, (kind, data) = commit.work.run, events[place]
    return {"run_id": run.id, "before_last": len(events) - place - 1, "organisation_id": run.organisation_id,
            "kind": kind, "data": data}  # fmt: skip


def _run(commit: Commit, lease: float, events: int) -> dict[str, Any]:
    change, outcomes = commit.entries.change, commit.all_outcomes
    commit.cost = sum(outcome.cost for outcome, _ in outcomes)
    return {
        "id": commit.work.run.id, "fence": commit.work.lease.fence, "lease": lease,
        "state": change.state, "failure": change.failure, "output": change.output,
        "waits_for": str(change.waits_for), "waits_on": change.waits_on,
        "wake_at": change.wake_at,
        "steps": len(commit.entries.steps), "events": events, "cost": commit.cost,
        "input_tokens": sum(outcome.usage.get("input_tokens") or 0 for outcome, _ in outcomes),
        "output_tokens": sum(outcome.usage.get("output_tokens") or 0 for outcome, _ in outcomes),
        "rehearsed": commit.work.provider.rehearsal, "admitted": change.admitted, "crashed": change.crashed,
        # A paused run may write what was, and that it waits for a decision; it begins no act.
        "begins": commit.entries.repeats
        or any(step.kind is not StepKind.DECISION_WAIT for step in commit.entries.steps),
        "progressed": any(_is_progress(commit, outcome) for outcome, _ in outcomes), "ended": change.ends,
    }  # fmt: skip


def _is_progress(commit: Commit, outcome: StepOutcome) -> bool:
    return outcome.state is StepState.SUCCEEDED and commit.step(outcome.number).kind != StepKind.DECISION_WAIT


def _outcome(commit: Commit, outcome: StepOutcome) -> dict[str, Any]:
    return {
        "run_id": commit.work.run.id, "number": outcome.number, "state": outcome.state,
        "output": outcome.output, "label": outcome.label, "usage": outcome.usage, "cost": outcome.cost,
        "error": outcome.error,
    }  # fmt: skip


def _step(commit: Commit, step: StepRow) -> dict[str, Any]:
    run = commit.work.run
    return {
        "run_id": run.id, "number": step.number, "organisation_id": run.organisation_id,
        "kind": step.kind, "state": step.state, "attempt": step.attempt, "name": step.name,
        "call_id": step.call_id, "effect": step.effect, "idempotency_key": step.idempotency_key,
        "digest": step.digest, "decision_id": step.decision_id, "verdict": step.verdict, "input": step.input,
        "output": step.output, "label": step.label, "provenance": step.provenance, "child_id": step.child_id,
        "error": step.error,
    }  # fmt: skip


def outcome_event(step: Step, outcome: StepOutcome) -> Event:
    """What is streamed of an outcome."""
    data = {"step": step.number, "kind": step.kind, "name": step.name, "state": outcome.state}
    return f"step.{outcome.state}", data


def outcome_entry(actor: Actor, step: Step, outcome: StepOutcome) -> Entry:
    """What the record keeps of an outcome; nothing is kept of a wait's, which has its decision."""
    return entry(
        actor, f"{step.kind}.{outcome.state}", target_kind=step.kind, target_name=step.name,
        outcome="ok" if outcome.state is StepState.SUCCEEDED else "failed", step=step.number,
        reason=recorded_reason(step.kind, outcome.state, outcome.error),
        details={"key": step.idempotency_key, "digest": step.digest, "attempt": step.attempt}, ours=True,
    )  # fmt: skip


def _events(commit: Commit) -> list[Event]:
    change, told = commit.entries.change, []
    for outcome, _ in commit.all_outcomes:
        told.append(outcome_event(commit.step(outcome.number), outcome))
    waits = [("run.waiting", {"waits_for": str(change.waits_for)})] if change.state is RunState.WAITING else []
    ends = []
    if commit.entries.state is not None:
        state, why = commit.entries.state
        ends = [(f"run.{state.value}", {"state": state.value, "reason": why})]
    return [*commit.events, *told, *commit.entries.events, *waits, *ends]


def _told(commit: Commit) -> list[Entry]:
    actor, told = commit.work.actor, []
    for outcome, _ in commit.all_outcomes:
        step = commit.step(outcome.number)
        if step.kind == StepKind.DECISION_WAIT:
            continue
        told.append(outcome_entry(actor, step, outcome))
    if commit.entries.state is not None:
        state, why = commit.entries.state
        run = commit.work.run
        told.append(
            entry(actor, f"run.{state}", target_kind="run", target_id=run.id, target_name=run.title, reason=why,
                  outcome="ok" if state is RunState.SUCCEEDED else "failed")
        )  # fmt: skip
    return told
