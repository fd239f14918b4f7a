"""What becomes of a run when the engine itself fails: it waits a little and is tried again, and in the end is stopped.

Nothing here needs the run's definition or the gate, which may be just what is broken.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from agents.gate import NoGateError, Settlement, get_gate
from agents.runs.children import cancel_below, void_waits, wake_above, why_cancelled
from agents.runs.claims import Change, Lease, StaleLeaseError, hold
from agents.runs.clock import clock
from agents.runs.commits import outcome_entry, outcome_event
from agents.runs.journal import DATABASE_AWAY, ENGINE, StepOutcome, add_events, engine_transaction, finish_step
from agents.runs.models import RunState, Step, StepKind, StepState, Wait
from agents.runs.moves import is_wanted_again
from agents.tools.port import ToolEffect
from foundation.actors import system_actor
from foundation.audit.record import Entry, entry, record
from foundation.batches import Batch, Cursor

_LONGEST_PAUSE = 60  # seconds
_OPEN = (StepState.INTENDED, StepState.WAITING)
_BODIES = ("input", "output", "provenance", "verdict")  # too large, perhaps, to be read: nothing here needs them


def set_back(lease: Lease, error: Exception) -> list[UUID]:
    """Let go of the run for some seconds; the runs to wake. Raises StaleLeaseError.

    It counts as a crash of the run, unless the database was away, which is nobody's fault but the database's.
    """
    crashed = not isinstance(error, DATABASE_AWAY)
    with engine_transaction() as cursor:
        crashes = _crashes(cursor, lease) + crashed
        if crashes > settings.RUN_MAX_CRASHES:
            why = f"The engine failed {crashes} times on this run, at last with {type(error).__name__}."
            return _give_up(cursor, lease, why)
        pause = timedelta(seconds=min(2**crashes, _LONGEST_PAUSE))
        change = Change(
            state=RunState.WAITING, waits_for=Wait.TIMER, wake_at=clock.now() + pause, crashed=crashed,
        )  # fmt: skip
        last = hold(cursor, lease, settings.RUN_LEASE_SECONDS, change, events=1)
        add_events(cursor, lease, last, [("run.waiting", {"waits_for": "timer"})])
    return []


def give_up(lease: Lease, why: str) -> list[UUID]:
    """End the run as failed, or as cancelled if a person asked for that; the runs to wake. Raises StaleLeaseError."""
    with engine_transaction() as cursor:
        return _give_up(cursor, lease, why)


def _crashes(cursor: Cursor, lease: Lease) -> int:
    """How often a run crashed since it last got further, which may be after it was taken.

    Unlocked: what is locked before a run may come yet. With our fence nobody else changes it; without, nothing stands.
    """
    cursor.execute("SELECT crashes FROM runs_run WHERE id = %s AND fence = %s", (lease.run, lease.fence))
    row = cursor.fetchone()
    if row is None:
        raise StaleLeaseError(lease.run)
    return int(row[0])


def _give_up(cursor: Cursor, lease: Lease, why: str) -> list[UUID]:
    # Until the run's row is held, nobody says that its steps are still ours; if they are not, nothing of it stands.
    rows = Step.objects.using(ENGINE).filter(run_id=lease.run, state__in=_OPEN)
    steps = list(rows.defer(*_BODIES).order_by("number"))
    outcomes = _outcomes(cursor, lease, steps)
    told = [outcome_event(step, outcome) for step, outcome in zip(steps, outcomes, strict=True)]
    void_waits(cursor, lease.run)
    woken = wake_above(cursor, lease.run)
    state = RunState.FAILED
    if _is_cancelled(cursor, lease):
        state, why = RunState.CANCELLED, f"{why_cancelled(lease.run)} {why}"
    told.append((f"run.{state.value}", {"state": state.value, "reason": why}))
    change = Change(state=state, failure=why)
    cost = sum(outcome.cost for outcome in outcomes)
    last = hold(cursor, lease, settings.RUN_LEASE_SECONDS, change, events=len(told), cost=cost)
    add_events(cursor, lease, last, told)
    for outcome in outcomes:
        finish_step(cursor, lease, outcome)
    woken += cancel_below(cursor, lease.run)
    record(*_entries(lease, steps, outcomes, state, why), cursor=cursor)
    return woken


def _is_cancelled(cursor: Cursor, lease: Lease) -> bool:
    """Whether a person asked for the run's end. Nobody does from now on: its row is locked."""
    cursor.execute(
        "SELECT cancel_requested FROM runs_run WHERE id = %s AND fence = %s FOR UPDATE", (lease.run, lease.fence)
    )
    row = cursor.fetchone()
    if row is None:
        raise StaleLeaseError(lease.run)
    return bool(row[0])


def last_word(kind: str, effect: str, former: str, *, undone: bool = False) -> tuple[StepState, str]:
    """What is to be said of a step without an outcome when its run ends; `former` is its state before.

    `undone`: a person found that it did not happen, and it was not done since.
    """
    if kind == StepKind.DECISION_WAIT:
        return StepState.REFUSED, "The run ended before anybody had decided."
    if kind == StepKind.DELEGATION:
        return StepState.FAILED, "The run ended before the delegated run did."
    if kind == StepKind.MODEL_CALL:
        return StepState.FAILED, "The worker died during the call; it is booked at what was held."
    if undone:
        return StepState.FAILED, "A person found that it did not happen; the run ended before it was done again."
    if former == StepState.WAITING:
        return StepState.FAILED, "The run ended before the wait did."
    if effect == ToolEffect.READ:
        return StepState.FAILED, "The run ended before it was read."
    return StepState.UNKNOWN, "The run ended without an outcome of the call: nobody knows whether it happened."


def _outcomes(cursor: Cursor, lease: Lease, steps: Sequence[Step]) -> list[StepOutcome]:
    """The last words on steps, and what was booked for them: budgets are locked before runs, here as everywhere."""
    words = [last_word(step.kind, step.effect, step.state, undone=is_wanted_again(step)) for step in steps]
    booked = _book(cursor, lease, steps)
    return [
        StepOutcome(number=step.number, state=state, error=error, cost=cost)
        for step, (state, error), cost in zip(steps, words, booked, strict=True)
    ]


def _book(cursor: Cursor, lease: Lease, steps: Sequence[Step]) -> list[int]:
    try:
        gate = get_gate()
    except NoGateError:
        return [0] * len(steps)
    gate.close(cursor, lease.run)
    settlements = [
        Settlement(organisation=lease.organisation, decision=step.decision_id, run=lease.run, cost=None)
        for step in steps if step.decision_id is not None
    ]  # fmt: skip
    batch = Batch(cursor)
    booked = iter(gate.settle(batch, settlements))
    batch.flush()
    return [next(booked) if step.decision_id is not None else 0 for step in steps]


def _entries(
    lease: Lease, steps: Sequence[Step], outcomes: Sequence[StepOutcome], state: RunState, why: str
) -> list[Entry]:
    actor = replace(system_actor("engine", lease.organisation), run=lease.run)
    told = [
        outcome_entry(actor, step, outcome) for step, outcome in zip(steps, outcomes, strict=True)
        if step.kind != StepKind.DECISION_WAIT
    ]  # fmt: skip
    end = entry(
        actor, f"run.{state.value}", target_kind="run", target_id=lease.run, reason=why, outcome="failed"
    )  # fmt: skip
    return [*told, end]
