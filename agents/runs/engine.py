"""The engine: advances a run from its journal until it ends or waits.

The outcome of one step and the intent of the next share a commit; an intent is always committed before its call.
It never enqueues: it returns the runs whose bell is to be rung after the commit.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from agents.gate import Effect, NoGateError
from agents.labels import Label
from agents.runs import actions, calls
from agents.runs.advancing import JUDGEMENTS
from agents.runs.builtins.port import Done, builtin, is_builtin
from agents.runs.builtins.results import looked
from agents.runs.children import outcomes_of, wake_if_ended, why_cancelled
from agents.runs.claims import Change, Lease, StaleLeaseError
from agents.runs.committer import committer
from agents.runs.faults import give_up, set_back
from agents.runs.journal import DATABASE_AWAY, StepOutcome, repeat_step
from agents.runs.leases import keeper
from agents.runs.limits import beyond_limit
from agents.runs.models import RunState, Step, StepKind, StepState, Wait
from agents.runs.moves import AskModel, Await, DoCall, Finish, Move, Recover, Stop, is_wanted_again, next_move
from agents.runs.repeating import Repeating
from agents.runs.taking import Taken, read, take
from agents.runs.work import load
from agents.runs.writer import InterruptedRunError
from agents.tools.port import ToolEffect

log = structlog.get_logger(__name__)

_AGAIN = 0.5  # seconds until the database is asked once more
# There is no journal yet in which it could wait.
_STARTS = "the start of a run waits for nobody: let the policy ask about what the run does."


def advance(run: UUID) -> list[UUID]:
    """Take a run's lease and work on it; the runs to wake afterwards. Does nothing if another worker has it."""
    taken = take(keeper.worker, settings.RUN_LEASE_SECONDS, [run])
    return work_on(taken[0])[0] if taken else []


def work_on(taken: Taken, takes_more: Callable[[], bool] = lambda: False) -> tuple[list[UUID], Taken | None]:
    """Work on a run that was taken, until it ends or waits.

    The runs to wake afterwards; and, if it `takes_more`, a run that was taken in the place of this one.
    """
    lease, at_work = taken.lease, None
    with keeper.holding(lease):
        if lease.crashes > settings.RUN_MAX_CRASHES:
            # Before its journal is read, which may be what the workers die of.
            why = f"The worker died {lease.crashes} times while it worked on this run: it is stopped."
            return _unless_stale(lease, partial(give_up, lease, why)), None
        try:
            with committer.present():
                at_work = _Advance(load(read(taken)), takes_more)
                bells = at_work.go()
        except StaleLeaseError:
            bells = []
        except NoGateError as error:
            bells = _unless_stale(lease, partial(give_up, lease, str(error)))
        except Exception as error:
            log.exception("engine failed", run=str(lease.run))
            bells = _unless_stale(lease, partial(set_back, lease, error))
    return bells, at_work.writer.successor if at_work is not None else None


def _unless_stale(lease: Lease, end: Callable[[], list[UUID]]) -> list[UUID]:
    """Let go of a run that is still ours; where the database is away, as soon as it is back, or the process ends."""
    while True:
        try:
            return end()
        except StaleLeaseError:
            return []
        except Exception as error:
            if isinstance(error, DATABASE_AWAY) and not keeper.is_draining:
                time.sleep(_AGAIN)
                continue
            # The lease runs out by itself, and the tick finds the run.
            log.exception("run not let go of", run=str(lease.run))
            return []


class _Advance(Repeating):
    """One worker's hold on one run."""

    _has_begun = False

    def go(self) -> list[UUID]:
        """Move by move, until the run ends or waits; the runs to wake."""
        if self.work.run.admitted:
            self.writer.event("run.resumed", {})
        going = True
        while going:
            try:
                if self._makes_way:
                    going = self.let_go()
                elif self.retries >= JUDGEMENTS and not self._is_to_end:
                    going = self.let_settle()
                else:
                    going = self._move(next_move(self.work.steps))
            except InterruptedRunError:
                # The next look at the run ends it.
                going = True
        return self.bells

    @property
    def _makes_way(self) -> bool:
        """Whether another worker is to go on from here. What is to end does so here: it takes no other commit."""
        return keeper.is_draining and not self._is_to_end

    @property
    def _is_to_end(self) -> bool:
        return self.work.run.cancel_requested or self.work.is_late

    def _move(self, move: Move) -> bool:
        if (end := self._ending(move)) is not None:
            self.end(*end)
            return False
        if self.work.player is not None:
            self.work.label = self.work.player.heard(self.work.steps, move, self.work.label)
        if self.work.run.pause_requested and isinstance(move, AskModel | DoCall | Recover):
            self.wait(Wait.PAUSE, None, None)
            return False
        if not (self.work.run.admitted or self._has_begun):
            # Not before: whoever lets go of a run, or holds or ends it, before its first move has not started it.
            self._has_begun = True
            self.writer.event("run.started", {})
        match move:
            case Recover():
                return self._recover(move.step)
            case Await():
                return self._await(move.step)
            case Finish():
                self.end(RunState.SUCCEEDED, "", {"text": move.text})
                return False
            case Stop():
                self.end(RunState.FAILED, move.reason, None)
                return False
        if not self.work.run.admitted and self.opening is None:
            return self._admit()
        return self.ask_model(move) if isinstance(move, AskModel) else self.do_call(move)

    def _ending(self, move: Move) -> tuple[RunState, str, Any] | None:
        work = self.work
        if work.run.cancel_requested:
            return RunState.CANCELLED, why_cancelled(work.run.id), None
        if work.is_late and not (isinstance(move, Await) and move.step.state == StepState.UNKNOWN):
            return RunState.EXPIRED, "The run passed its time limit.", None
        over = work.player.end(work.steps, move) if work.player is not None else None
        # What a fork shares with its former counts there. In its replay it does not: the recording says where it ends.
        is_played = work.player is not None and work.player.plays_model and over is None
        if not is_played and (why := beyond_limit(work, move)):
            return RunState.FAILED, why, None
        return over

    def _admit(self) -> bool:
        """Ask the gate whether this run may start; it opens the run's budget.

        A run that may is committed as started together with its first act: it costs no commit of its own.
        """
        self.work.refresh()
        action = actions.run_start(self.work)
        verdict = self.gate.prepare([action])[0]
        if verdict.effect is Effect.ALLOW:
            self.opening = verdict
            return True
        if verdict.effect is Effect.ASK:
            action = replace(action, problem=f"{'; '.join(verdict.reasons)}, and {_STARTS}")
        admission = self.judge(action, lambda _: Change(admitted=True), step=None, alone=False)
        if admission.effect is Effect.ALLOW:
            self.work.run.admitted = True
        if admission.effect is Effect.ALLOW or admission.retry:
            return True
        self.end(RunState.FAILED, "The run may not start. " + " ".join(admission.reasons), None)
        return False

    def _await_builtin(self, step: Step) -> bool:
        with self.writer.transaction() as entries:
            result = builtin(step.name).look(entries.cursor, self.work, step)
            looked(self.work, step, result, entries)
        return isinstance(result, Done)

    def _recover(self, step: Step) -> bool:
        """A worker died between an intent and its outcome, or the call is to be repeated."""
        if step.kind == StepKind.MODEL_CALL:
            self.close(step)
            return True
        if is_wanted_again(step):
            return self.repeat(step)
        if step.effect == ToolEffect.EFFECT:
            error = "The worker died during the call: nobody knows whether it happened."
            self.writer.outcome(StepOutcome(number=step.number, state=StepState.UNKNOWN, error=error), None)
            return self.doubt(step)
        self.work.refresh()
        if problem := calls.problem_of(self.work, step.name, step.input):
            state = StepState.FAILED if step.effect == ToolEffect.READ else StepState.UNKNOWN
            error = f"The call had no outcome, and cannot be repeated. {problem}"
            self.writer.outcome(StepOutcome(number=step.number, state=state, error=error), None)
            return state is StepState.FAILED or self.doubt(step)
        with self.writer.transaction() as entries:
            repeat_step(entries.cursor, self.work.lease, step.number)
            entries.event("step.repeated", {"step": step.number, "name": step.name})
            entries.repeats = True
        step.attempt += 1
        return self.call_tool(step)

    def _await(self, step: Step) -> bool:
        if step.state == StepState.UNKNOWN:
            return self.doubt(step)
        if is_builtin(step.name):
            return self._await_builtin(step)
        awaited = [one for one in self.work.steps if one.kind == StepKind.DELEGATION and one.state == StepState.WAITING]
        outcomes = outcomes_of(awaited)
        if outcomes is None:
            # The last may end between the look and the wait: so it is looked once more when this run's row is locked.
            run = self.work.run.id
            self.wait(Wait.CHILD, run, None, lambda cursor: self.bells.extend(wake_if_ended(cursor, run)))
            return False
        for outcome in outcomes:
            self.work.label = self.work.label.join(Label.from_json(outcome.label or {}))
            self.writer.outcome(outcome, 0)
        return True
