"""What becomes of a run when the engine itself fails: it waits a little and is tried again, and in the end is stopped.

Nothing here needs the run's definition or the gate, which may be just what is broken.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings

from agents.gate import NoGateError, Settlement, get_gate
from agents.runs.children import cancel_below, void_waits, wake_above
from agents.runs.claims import Change, Lease, hold
from agents.runs.clock import clock
from agents.runs.journal import DATABASE_AWAY, StepOutcome, add_events, engine_transaction, finish_step
from agents.runs.models import RunState, StepKind, StepState, Wait
from agents.tools.port import ToolEffect
from foundation.actors import system_actor
from foundation.audit.record import entry, record
from foundation.batches import Batch, Cursor

_LONGEST_PAUSE = 60  # seconds


def set_back(lease: Lease, error: Exception) -> list[UUID]:
    """Let go of the run for some seconds; the runs to wake. Raises StaleLeaseError.

    It counts as a crash of the run, unless the database was away, which is nobody's fault but the database's.
    """
    crashed = not isinstance(error, DATABASE_AWAY)
    crashes = lease.crashes + crashed
    if crashes > settings.RUN_MAX_CRASHES:
        return give_up(lease, f"The engine failed {crashes} times on this run, at last with {type(error).__name__}.")
    pause = timedelta(seconds=min(2**crashes, _LONGEST_PAUSE))
    change = Change(
        state=RunState.WAITING, waits_for=Wait.TIMER, wake_at=clock.now() + pause, crashed=crashed,
    )  # fmt: skip
    with engine_transaction() as cursor:
        last = hold(cursor, lease, settings.RUN_LEASE_SECONDS, change, events=1)
        add_events(cursor, lease, last, [("run.waiting", {"waits_for": "timer"})])
    return []


def give_up(lease: Lease, why: str) -> list[UUID]:
    """End the run as failed; the runs to wake. Raises StaleLeaseError."""
    actor = system_actor("engine", lease.organisation)
    change = Change(state=RunState.FAILED, failure=why)
    with engine_transaction() as cursor:
        void_waits(cursor, lease.run)
        woken = wake_above(cursor, lease.run)
        last = hold(cursor, lease, settings.RUN_LEASE_SECONDS, change, events=1)
        add_events(cursor, lease, last, [("run.failed", {"state": "failed", "reason": why})])
        _close_steps(cursor, lease)
        woken += cancel_below(cursor, lease.run)
        record(
            entry(actor, "run.failed", target_kind="run", target_id=lease.run, run=lease.run, reason=why,
                  outcome="failed"),
            cursor=cursor,
        )  # fmt: skip
    return woken


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


def _close_steps(cursor: Cursor, lease: Lease) -> None:
    cursor.execute(
        "SELECT number, kind, effect, state, decision_id FROM runs_step "
        "WHERE run_id = %s AND state IN ('intended', 'waiting') ORDER BY number",
        (lease.run,),
    )
    for number, kind, effect, former, decision in cursor.fetchall():
        outcome, error = last_word(kind, effect, former)
        cost = _book(cursor, lease, decision)
        finish_step(cursor, lease, StepOutcome(number=number, state=outcome, error=error, cost=cost))


def _book(cursor: Cursor, lease: Lease, decision: UUID) -> int:
    try:
        gate = get_gate()
    except NoGateError:
        return 0
    settlement = Settlement(organisation=lease.organisation, decision=decision, run=lease.run, cost=None)
    batch = Batch(cursor)
    booked = gate.settle(batch, [settlement])[0]
    batch.flush()
    return booked
