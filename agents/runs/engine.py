"""The engine: advances a run from its journal until it ends or waits.

The outcome of one step and the intent of the next share a commit; an intent is always committed before its call.
It never enqueues: it returns the runs whose bell is to be rung after the commit.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from agents.catalogue.inference import InferenceError
from agents.catalogue.messages import ModelAnswer, ModelRequest
from agents.gate import Action, Admission, Effect, NoGateError, Verdict, get_gate
from agents.labels import Label
from agents.registry.models import OnExhausted
from agents.runs import actions, calls, context
from agents.runs.builtins.port import Done, Over, builtin, is_builtin
from agents.runs.builtins.results import begun, looked
from agents.runs.children import cancel_below, create_child, outcomes_of, void_waits, wake_above, wake_if_ended
from agents.runs.claims import Change, Lease, StaleLeaseError
from agents.runs.clock import clock
from agents.runs.committer import committer
from agents.runs.compaction import compact
from agents.runs.faults import give_up, last_word, set_back
from agents.runs.journal import StepOutcome, StepRow, repeat_step
from agents.runs.leases import keeper
from agents.runs.limits import beyond_limit, next_month
from agents.runs.models import RunState, Step, StepKind, StepState, Wait
from agents.runs.moves import DELEGATE, AskModel, Await, DoCall, Finish, Move, Recover, Stop, next_move
from agents.runs.player import Player, stubbed
from agents.runs.retries import busy_for, policy_of
from agents.runs.taking import Taken, take
from agents.runs.work import Work, load
from agents.runs.writer import Entries, InterruptedRunError, Writer
from agents.tools.port import ToolEffect
from foundation.batches import Cursor

log = structlog.get_logger(__name__)

_JUDGEMENTS = 3  # how often an act is judged anew because the policies changed meanwhile


def advance(run: UUID) -> list[UUID]:
    """Take a run's lease and work on it; the runs to wake afterwards. Does nothing if another worker has it."""
    taken = take(keeper.worker, settings.RUN_LEASE_SECONDS, [run])
    return work_on(taken[0]) if taken else []


def work_on(taken: Taken) -> list[UUID]:
    """Work on a run that was taken, until it ends or waits; the runs to wake afterwards."""
    lease = taken.lease
    with keeper.holding(lease):
        try:
            with committer.present():
                return _Advance(taken).go()
        except StaleLeaseError:
            return []
        except NoGateError as error:
            return _unless_stale(lease, partial(give_up, lease, str(error)))
        except Exception as error:
            log.exception("engine failed", run=str(lease.run))
            return _unless_stale(lease, partial(set_back, lease, error))


def _unless_stale(lease: Lease, end: Callable[[], list[UUID]]) -> list[UUID]:
    try:
        return end()
    except StaleLeaseError:
        return []
    except Exception:
        # Without the database, say: the lease runs out by itself, and the tick finds the run.
        log.exception("run not let go of", run=str(lease.run))
        return []


class _Advance:
    """One worker's hold on one run."""

    def __init__(self, taken: Taken) -> None:
        self.gate = get_gate()
        self.work: Work = load(taken)
        self.writer = Writer(self.work)
        self.bells: list[UUID] = []
        self.retries = 0
        self.opening: Verdict | None = None

    def go(self) -> list[UUID]:
        """Move by move, until the run ends or waits; the runs to wake."""
        self.writer.event("run.resumed" if self.work.run.admitted else "run.started", {})
        going = True
        while going:
            try:
                going = self._move(next_move(self.work.steps)) if not keeper.is_draining else self._let_go()
            except InterruptedRunError:
                # The next look at the run ends it.
                going = True
        return self.bells

    def _let_go(self) -> bool:
        """The process is about to end: another worker goes on from here."""
        self.writer.write(Entries(change=Change(state=RunState.QUEUED)))
        self.bells.append(self.work.run.id)
        return False

    def _move(self, move: Move) -> bool:
        if (end := self._ending(move)) is not None:
            self._end(*end)
            return False
        if self.work.player is not None:
            self.work.label = self.work.player.heard(self.work.steps, move, self.work.label)
        if self.work.run.pause_requested and isinstance(move, AskModel | DoCall | Recover):
            self._wait(Wait.PAUSE, None, None)
            return False
        match move:
            case Recover():
                return self._recover(move.step)
            case Await():
                return self._await(move.step)
            case Finish():
                self._end(RunState.SUCCEEDED, "", {"text": move.text})
                return False
            case Stop():
                self._end(RunState.FAILED, move.reason, None)
                return False
        if not self.work.run.admitted and self.opening is None:
            return self._admit()
        return self._ask_model(move) if isinstance(move, AskModel) else self._do_call(move)

    def _ending(self, move: Move) -> tuple[RunState, str, Any] | None:
        work = self.work
        if work.run.cancel_requested:
            return RunState.CANCELLED, "A person cancelled the run.", None
        if work.is_late and not (isinstance(move, Await) and move.step.state == StepState.UNKNOWN):
            return RunState.EXPIRED, "The run passed its time limit.", None
        if work.lease.crashes > settings.RUN_MAX_CRASHES:
            message = f"The worker died {work.lease.crashes} times while it worked on this run: it is stopped."
            return RunState.FAILED, message, None
        if why := beyond_limit(work, move):
            return RunState.FAILED, why, None
        if work.player is not None:
            return work.player.end(work.steps, move)
        return None

    def _admit(self) -> bool:
        """Ask the gate whether this run may start; it opens the run's budget.

        A run that may is committed as started together with its first act: it costs no commit of its own.
        """
        self.work.refresh()
        action = actions.run_start(self.work)
        if self.retries < _JUDGEMENTS:
            verdict = self.gate.prepare([action])[0]
            if verdict.effect is Effect.ALLOW:
                self.opening = verdict
                return True
        admission = self._judge(action, lambda _: Change(admitted=True), step=None, alone=False)
        if admission.effect is Effect.ALLOW:
            self.work.run.admitted = True
        if admission.effect is Effect.ALLOW or admission.retry:
            return True
        self._end(RunState.FAILED, "The run may not start. " + " ".join(admission.reasons), None)
        return False

    def _ask_model(self, move: AskModel) -> bool:
        self.work.refresh()
        plan = context.plan(self.work, tools := calls.offered(self.work))
        if plan.refusal:
            self._end(RunState.FAILED, plan.refusal, None)
            return False
        if plan.before is not None:
            return compact(self.work, self.writer, self._judge, plan.before, move.wait)
        for kind, data in plan.events:
            self.writer.event(kind, data)
        request = calls.model_request(self.work, plan.items, tools)
        action = actions.model_call(self.work, request, move.wait)
        step = StepRow(
            number=action.step, kind=StepKind.MODEL_CALL, state=StepState.INTENDED, name=self.work.model.slug,
            decision_id=action.decision, attempt=move.attempt, digest=action.digest,
            input={"items": len(request.items), "most_output_tokens": request.max_output_tokens, **plan.note},
            label=action.label.as_json(),
        )  # fmt: skip
        admission = self._judge(action, lambda _: Change(), step=step, wait=move.wait, alone=False)
        if admission.effect is Effect.ASK:
            return False
        if admission.effect is Effect.DENY:
            return True
        return self._call_model(self.work.steps[-1], request)

    def _call_model(self, step: Step, request: ModelRequest) -> bool:
        try:
            with committer.away():
                answer = calls.call_model(self.work, request)
        except InferenceError as error:
            return self._model_failed(step, error)
        self.writer.outcome(
            StepOutcome(
                number=step.number, state=StepState.SUCCEEDED, output={"items": calls.items_of(answer, step.number)},
                usage={"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
                label=self.work.label.as_json(),
            ),
            self._cost(answer),
        )  # fmt: skip
        return True

    def _cost(self, answer: ModelAnswer) -> int | None:
        if answer.input_tokens is None or answer.output_tokens is None or self.work.price is None:
            return None
        return self.work.price.cost(answer.input_tokens, answer.output_tokens)

    def _model_failed(self, step: Step, error: InferenceError) -> bool:
        cost = None if error.billed else 0
        usage = {} if error.busy is None else {"busy": error.busy}
        failed = StepOutcome(number=step.number, state=StepState.FAILED, error=str(error), usage=usage)
        self.writer.outcome(failed, cost)
        if error.busy is not None:
            self._wait(Wait.CAPACITY, None, clock.now() + timedelta(seconds=busy_for(error.busy)))
            return False
        wait = policy_of(step.kind, step.effect).delay_before(step.attempt + 1) if error.again else None
        if wait is None:
            self._end(RunState.FAILED, f"The model call failed. {error}", None)
            return False
        self._wait(Wait.TIMER, None, datetime.now(UTC) + timedelta(seconds=wait))
        return False

    def _do_call(self, move: DoCall) -> bool:
        name = move.call["name"]
        self.work.refresh()
        arguments, fault = calls.arguments_of(move.call)
        fault = fault or calls.problem_of(self.work, name, arguments)
        action = actions.tool_call(self.work, name, arguments, move.wait, fault)
        kind = StepKind.DELEGATION if name.startswith(DELEGATE) else StepKind.TOOL_CALL
        step = StepRow(
            number=action.step, kind=kind, state=StepState.INTENDED, name=name, decision_id=action.decision,
            call_id=move.call["call_id"], effect=action.target_effect, digest=action.digest,
            idempotency_key=f"remit-{self.work.run.id}-{action.step}", input=arguments,
            label=action.label.as_json(),
            provenance={key: label.as_json() for key, label in action.provenance.items()},
        )  # fmt: skip
        if self.work.player is not None:
            return self._play(self.work.player, action, step, move.wait)
        if kind is StepKind.DELEGATION:
            return self._delegate(action, step, move.wait)
        if is_builtin(name):
            return self._do_builtin(action, step, move.wait)
        admission = self._judge(action, lambda _: Change(), step=step, wait=move.wait, alone=False)
        if admission.effect is Effect.ALLOW:
            return self._call_tool(self.work.steps[-1])
        return admission.effect is Effect.DENY

    def _call_tool(self, step: Step) -> bool:
        tool = self.work.tools[step.name]
        with committer.away():
            called = calls.call_tool(self.work, tool, step.input, step.idempotency_key)
        if called.state is StepState.UNKNOWN and step.effect != ToolEffect.EFFECT:
            if (pause := policy_of(step.kind, step.effect).delay_before(step.attempt + 1)) is not None:
                # The step keeps its intent: whoever takes the run next repeats it with the same key.
                self._wait(Wait.TIMER, None, datetime.now(UTC) + timedelta(seconds=pause))
                return False
            if step.effect == ToolEffect.READ:
                called = replace(called, state=StepState.FAILED)
        label = called.label or Label.from_json(step.label)
        self.work.label = self.work.label.join(label)
        self.writer.outcome(
            StepOutcome(
                number=step.number, state=called.state, output=called.output, label=label.as_json(),
                error=called.error,
            ),
            {StepState.UNKNOWN: None, StepState.SUCCEEDED: tool.price}.get(called.state, 0),
        )  # fmt: skip
        return called.state is not StepState.UNKNOWN or self._doubt(step)

    def _play(self, player: Player, action: Action, step: StepRow, wait: Step | None) -> bool:
        """A call of a replay: judged like any other, and answered as recorded, in one commit."""
        recorded = player.outcome(self.work.steps, step.name, step.input, step.call_id)

        def begin(_: Entries) -> Change:
            if recorded is not None:
                step.state, step.output = StepState(recorded.state), recorded.output
                step.error, step.label = recorded.error, recorded.label
            return Change()

        admission = self._judge(action, begin, step=step, wait=wait, alone=False)
        if admission.effect is Effect.ALLOW and step.kind is not StepKind.DELEGATION:
            self.work.label = self.work.label.join(Label.from_json(step.label))
        return True

    def _delegate(self, action: Action, step: StepRow, wait: Step | None) -> bool:
        step.state = StepState.WAITING

        def begin(entries: Entries) -> Change:
            child = create_child(entries.cursor, self.work, step, action)
            step.child_id = child
            return Change()

        admission = self._judge(action, begin, step=step, wait=wait)
        if admission.effect is Effect.ALLOW and step.child_id is not None:
            self.bells.append(step.child_id)
        # Whatever else is delegated in the same answer begins before any of it is awaited.
        return admission.effect is not Effect.ASK

    def _do_builtin(self, action: Action, step: StepRow, wait: Step | None) -> bool:
        step.state, goes_on = StepState.SUCCEEDED, False

        def begin(entries: Entries) -> Change:
            nonlocal goes_on
            result = builtin(step.name).begin(entries.cursor, self.work, step)
            goes_on = isinstance(result, Done)
            if isinstance(result, Over):
                self._ends(entries, result.state, "")
                self.bells += result.bells
            return begun(self.work, step, result, entries)

        admission = self._judge(action, begin, step=step, wait=wait)
        return admission.effect is Effect.DENY or goes_on

    def _await_builtin(self, step: Step) -> bool:
        with self.writer.transaction() as entries:
            result = builtin(step.name).look(entries.cursor, self.work, step)
            looked(self.work, step, result, entries)
        return isinstance(result, Done)

    def _judge(
        self, action: Action, begin: Callable[[Entries], Change], *, step: StepRow | None, wait: Step | None = None,
        alone: bool = True,
    ) -> Admission:  # fmt: skip
        """Prepare outside, then commit the decision, the former outcome, and this step's intent together.

        `alone`: beginning it reads or writes more than entries. An admission that says retry is to be planned anew.
        """
        action = stubbed(self.work, action, step)
        if self.retries < _JUDGEMENTS:
            verdict = self.gate.prepare([action])[0]
        else:
            message = "The policies kept changing while the act was judged."
            verdict = Verdict(action=action, effect=Effect.DENY, reasons=(message,))

        opening, self.opening = self.opening, None

        def decide(entries: Entries, admission: Admission) -> None:
            self._fill(entries, verdict, admission, begin, step, wait)
            entries.change = replace(entries.change, admitted=entries.change.admitted or opening is not None)

        admission = self.writer.judged(verdict, decide, alone=alone, opening=opening)
        self.work.run.admitted = self.work.run.admitted or (opening is not None and not admission.retry)
        self.retries = self.retries + 1 if admission.retry else 0
        if action.stubbed and admission.effect is Effect.ASK:
            # Nobody is waited for: the next look at the journal finds the wait, and the recorded answer to it.
            return replace(admission, effect=Effect.DENY)
        return replace(admission, effect=Effect.ASK) if self._awaits_money(admission) else admission

    def _awaits_money(self, admission: Admission) -> bool:
        return admission.scarce is not None and self.work.version.on_exhausted == OnExhausted.WAIT

    def _fill(
        self, entries: Entries, verdict: Verdict, admission: Admission, begin: Callable[[Entries], Change],
        step: StepRow | None, wait: Step | None,
    ) -> None:  # fmt: skip
        shown = actions.shown(verdict, admission)
        if admission.effect is Effect.ASK and step is not None:
            asked = wait is not None and wait.verdict.get("waits_on") == str(admission.waits_for)
            if not asked:
                entries.finish_wait(wait, "The circumstances changed: it was asked anew.")
                entries.add(actions.waiting_step(step, shown))
            if not verdict.action.stubbed:
                entries.change = Change(
                    state=RunState.WAITING, waits_for=Wait.APPROVAL, waits_on=admission.waits_for, wake_at=None
                )
        elif admission.effect is Effect.ALLOW:
            entries.finish_wait(wait, "")
            entries.change = begin(entries)
            if step is not None:
                entries.add(replace(step, verdict=shown))
        elif self._awaits_money(admission):
            # The act is not written: it is planned anew when there is more. An approval of it stays as it is.
            until = next_month(clock.now())
            entries.change = Change(
                state=RunState.WAITING, waits_for=Wait.BUDGET, waits_on=admission.scarce, wake_at=until
            )
        elif step is not None:
            why = " ".join(admission.reasons)
            entries.finish_wait(wait, why)
            entries.add(replace(step, verdict=shown, state=StepState.REFUSED, error=why))

    def _recover(self, step: Step) -> bool:
        """A worker died between an intent and its outcome, or the call is to be repeated."""
        if step.kind == StepKind.MODEL_CALL:
            self._close(step)
            return True
        if step.effect == ToolEffect.EFFECT and step.usage.get("again") != step.attempt:
            error = "The worker died during the call: nobody knows whether it happened."
            self.writer.outcome(StepOutcome(number=step.number, state=StepState.UNKNOWN, error=error), None)
            return self._doubt(step)
        self.work.refresh()
        if problem := calls.problem_of(self.work, step.name, step.input):
            state = StepState.FAILED if step.effect == ToolEffect.READ else StepState.UNKNOWN
            error = f"The call had no outcome, and cannot be repeated. {problem}"
            self.writer.outcome(StepOutcome(number=step.number, state=state, error=error), None)
            return state is StepState.FAILED or self._doubt(step)
        with self.writer.transaction() as entries:
            repeat_step(entries.cursor, self.work.lease, step.number)
            entries.event("step.repeated", {"step": step.number, "name": step.name})
        step.attempt += 1
        return self._call_tool(step)

    def _doubt(self, step: Step) -> bool:
        step.state = StepState.UNKNOWN
        self._wait(Wait.PERSON, step.decision_id, None)
        return False

    def _await(self, step: Step) -> bool:
        if step.state == StepState.UNKNOWN:
            return self._doubt(step)
        if is_builtin(step.name):
            return self._await_builtin(step)
        awaited = [one for one in self.work.steps if one.kind == StepKind.DELEGATION and one.state == StepState.WAITING]
        outcomes = outcomes_of(awaited)
        if outcomes is None:
            # The last may end between the look and the wait: so it is looked once more when this run's row is locked.
            run = self.work.run.id
            self._wait(Wait.CHILD, run, None, lambda cursor: self.bells.extend(wake_if_ended(cursor, run)))
            return False
        for outcome in outcomes:
            self.work.label = self.work.label.join(Label.from_json(outcome.label or {}))
            self.writer.outcome(outcome, 0)
        return True

    def _wait(
        self, what: Wait, on: UUID | None, until: datetime | None, then: Callable[[Cursor], None] | None = None
    ) -> None:
        entries = Entries(change=Change(state=RunState.WAITING, waits_for=what, waits_on=on, wake_at=until))
        if then is not None:
            entries.afterwards(then)
        self.writer.write(entries)

    def _close(self, step: Step) -> None:
        state, error = last_word(step.kind, step.effect, step.state)
        self.writer.outcome(StepOutcome(number=step.number, state=state, error=error), None)

    def _end(self, state: RunState, failure: str, output: Mapping[str, Any] | None) -> None:
        for step in self.work.steps:
            if step.state in {StepState.INTENDED, StepState.WAITING}:
                self._close(step)
        entries = Entries(change=Change(state=state, failure=failure, output=output))
        self._ends(entries, state, failure)
        self.writer.write(entries)

    def _ends(self, entries: Entries, state: RunState, failure: str) -> None:
        run = self.work.run.id
        # The order of locks: approvals, budgets, questions, then runs from the root downwards; everywhere.
        if any(is_builtin(step.name) for step in self.work.steps):
            entries.before(lambda cursor: void_waits(cursor, run))
        if self.work.run.parent_id is not None:
            entries.before(lambda cursor: self.bells.extend(wake_above(cursor, run)))
        if any(step.child_id for step in self.work.steps):
            entries.afterwards(lambda cursor: self.bells.extend(cancel_below(cursor, run)))
        entries.ended(state, failure)
