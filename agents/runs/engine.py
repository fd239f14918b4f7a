"""The engine: advances a run from its journal until it ends or waits.

The outcome of one step and the intent of the next share a commit; an intent is always committed before its call.
It never enqueues: it returns the runs whose bell is to be rung after the commit.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from agents.catalogue.inference import InferenceError
from agents.catalogue.messages import ModelAnswer, ModelRequest
from agents.gate import Action, Admission, Effect, Verdict, get_gate
from agents.labels import Label
from agents.runs import actions, calls
from agents.runs.children import cancel_children, child_outcome, create_child, wake_parent
from agents.runs.journal import Change, Lease, StaleLeaseError, StepOutcome, StepRow, claim, repeat_step
from agents.runs.leases import keeper
from agents.runs.models import RunState, Step, StepKind, StepState, Wait
from agents.runs.moves import AskModel, Await, DoCall, Finish, Move, Recover, next_move
from agents.runs.retries import delay_before
from agents.runs.work import DELEGATE, Work, load
from agents.runs.writer import Entries, Writer
from agents.tools.port import ToolEffect

_JUDGEMENTS = 3  # how often an act is judged anew because the policies changed meanwhile


def advance(run: UUID) -> list[UUID]:
    """Take a run's lease and work on it; the runs to wake afterwards. Does nothing if another worker has it."""
    lease = claim(run, keeper.worker, settings.RUN_LEASE_SECONDS)
    if lease is None:
        return []
    with keeper.holding(lease):
        worker = _Advance(lease)
        try:
            worker.go()
        except StaleLeaseError:
            return []
    return worker.bells


class _Advance:
    """One worker's hold on one run."""

    def __init__(self, lease: Lease) -> None:
        self.work: Work = load(lease)
        self.writer = Writer(self.work)
        self.gate = get_gate()
        self.bells: list[UUID] = []

    def go(self) -> None:
        """Move by move, until the run ends or waits."""
        if self.work.lease.fence == 1:
            self.writer.event("run.started", {})
        going = True
        while going:
            move = next_move(self.work.steps)
            going = self._recover(move.step) if isinstance(move, Recover) else self._go_on(move)

    def _go_on(self, move: Move) -> bool:
        if (end := self._ending()) is not None:
            self._end(*end)
            return False
        if not self.work.run.admitted:
            return self._admit()
        match move:
            case Await():
                return self._await(move.step)
            case Finish():
                self._end(RunState.SUCCEEDED, "", {"text": move.text})
                return False
            case AskModel():
                return self._ask_model(move)
            case DoCall():
                return self._do_call(move)
        return False

    def _ending(self) -> tuple[RunState, str, Any] | None:
        run = self.work.run
        run.refresh_from_db(using="engine", fields=["cancel_requested"])
        if run.cancel_requested:
            return RunState.CANCELLED, "A person cancelled the run.", None
        if run.deadline <= datetime.now(UTC):
            return RunState.EXPIRED, "The run passed its time limit.", None
        if self.work.lease.crashes > settings.RUN_MAX_CRASHES:
            message = f"The worker died {self.work.lease.crashes} times while it worked on this run: it is stopped."
            return RunState.FAILED, message, None
        if len(self.work.steps) >= self.work.version.max_steps and not self._is_finished():
            return RunState.FAILED, f"The run reached its limit of {self.work.version.max_steps} steps.", None
        return None

    def _is_finished(self) -> bool:
        return isinstance(next_move(self.work.steps), Finish)

    def _admit(self) -> bool:
        """Ask the gate whether this run may start; it opens the run's budget."""
        action = actions.run_start(self.work)
        admission = self._judge(action, lambda _: Change(admitted=True), step=None)
        if admission.effect is Effect.ALLOW:
            self.work.run.admitted = True
            return True
        self._end(RunState.FAILED, "The run may not start. " + " ".join(admission.reasons), None)
        return False

    def _ask_model(self, move: AskModel) -> bool:
        request = calls.model_request(self.work)
        action = actions.model_call(self.work, request, move.wait)
        step = StepRow(
            number=action.step, kind=StepKind.MODEL_CALL, state=StepState.INTENDED, name=self.work.model.slug,
            decision_id=action.decision, attempt=move.attempt, digest=action.digest,
            input={"items": len(request.items), "most_output_tokens": request.max_output_tokens},
            label=action.label.as_json(),
        )  # fmt: skip
        admission = self._judge(action, lambda _: Change(), step=step, wait=move.wait)
        if admission.effect is Effect.ASK:
            return False
        if admission.effect is Effect.DENY:
            self._end(RunState.FAILED, "Stopped: " + " ".join(admission.reasons), None)
            return False
        return self._call_model(self.work.steps[-1], request)

    def _call_model(self, step: Step, request: ModelRequest) -> bool:
        try:
            answer = calls.call_model(self.work, request)
        except InferenceError as error:
            return self._model_failed(step, error)
        self.writer.outcome(
            StepOutcome(
                number=step.number, state=StepState.SUCCEEDED, output={"items": [dict(item) for item in answer.items]},
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
        self.writer.outcome(StepOutcome(number=step.number, state=StepState.FAILED, error=str(error)), cost)
        wait = delay_before(step.attempt + 1) if error.again else None
        if wait is None:
            self._end(RunState.FAILED, f"The model call failed. {error}", None)
            return False
        self._wait(Wait.TIMER, None, datetime.now(UTC) + timedelta(seconds=wait))
        return False

    def _do_call(self, move: DoCall) -> bool:
        name = move.call["name"]
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
        if kind is StepKind.DELEGATION:
            return self._delegate(action, step, move.wait)
        admission = self._judge(action, lambda _: Change(), step=step, wait=move.wait)
        if admission.effect is Effect.ALLOW:
            return self._call_tool(self.work.steps[-1])
        return admission.effect is Effect.DENY

    def _call_tool(self, step: Step) -> bool:
        called = calls.call_tool(self.work, self.work.tools[step.name], step.input, step.idempotency_key)
        label = called.label or Label.from_json(step.label)
        self.work.label = self.work.label.join(label)
        self.writer.outcome(
            StepOutcome(
                number=step.number, state=called.state, output=called.output, label=label.as_json(),
                error=called.error,
            ),
            0,
        )  # fmt: skip
        if called.state is StepState.UNKNOWN:
            return self._doubt(step)
        return True

    def _delegate(self, action: Action, step: StepRow, wait: Step | None) -> bool:
        step.state = StepState.WAITING

        def begin(cursor: Any) -> Change:
            child = create_child(cursor, self.work, step, action)
            step.child_id = child
            return Change(state=RunState.WAITING, waits_for=Wait.CHILD, waits_on=child)

        admission = self._judge(action, begin, step=step, wait=wait)
        if admission.effect is Effect.ALLOW and step.child_id is not None:
            self.bells.append(step.child_id)
        return admission.effect is Effect.DENY

    def _judge(self, action: Action, begin: Any, *, step: StepRow | None, wait: Step | None = None) -> Admission:
        """Prepare outside, then commit the decision, the former outcome, and this step's intent together."""
        for _ in range(_JUDGEMENTS):
            verdict = self.gate.prepare([action])[0]
            admission = self._commit(verdict, begin, step, wait)
            if not admission.retry:
                return admission
        message = "The policies kept changing while the act was judged."
        denial = Verdict(action=action, effect=Effect.DENY, reasons=(message,))
        return self._commit(denial, begin, step, wait)

    def _commit(self, verdict: Verdict, begin: Any, step: StepRow | None, wait: Step | None) -> Admission:
        with self.writer.transaction() as entries:
            admission = self.gate.commit(entries.cursor, [verdict])[0]
            if admission.retry:
                entries.abandon()
                return admission
            self._write(verdict, admission, begin, step, wait, entries)
        return admission

    def _write(
        self, verdict: Verdict, admission: Admission, begin: Any, step: StepRow | None,
        wait: Step | None, entries: Entries,
    ) -> None:  # fmt: skip
        shown = actions.shown(verdict, admission)
        if admission.effect is Effect.ASK and step is not None:
            asked = wait is not None and wait.verdict.get("waits_on") == str(admission.waits_for)
            if not asked:
                entries.finish_wait(wait, "The circumstances changed: it was asked anew.")
                entries.add(actions.waiting_step(step, shown))
            entries.change = Change(
                state=RunState.WAITING, waits_for=Wait.APPROVAL, waits_on=admission.waits_for, wake_at=None
            )
            return
        if step is None:
            entries.change = begin(entries.cursor) if admission.effect is Effect.ALLOW else Change()
            return
        if admission.effect is Effect.ALLOW:
            entries.finish_wait(wait, "")
            entries.change = begin(entries.cursor)
        else:
            entries.finish_wait(wait, " ".join(admission.reasons))
            step.state, step.error = StepState.REFUSED, " ".join(admission.reasons)
        step.verdict = shown
        entries.add(step)

    def _recover(self, step: Step) -> bool:
        """A worker died between an intent and its outcome."""
        if step.kind == StepKind.MODEL_CALL:
            error = "The worker died during the call; it may have been answered and is booked at what was held."
            self.writer.outcome(StepOutcome(number=step.number, state=StepState.FAILED, error=error), None)
            return True
        allowed = step.effect in {ToolEffect.READ, ToolEffect.IDEMPOTENT} or step.usage.get("again") == step.attempt
        if allowed and step.name in self.work.tools:
            with self.writer.transaction() as entries:
                repeat_step(entries.cursor, self.work.lease, step.number)
                entries.event("step.repeated", {"step": step.number, "name": step.name})
            step.attempt += 1
            return self._call_tool(step)
        error = "The worker died during the call: nobody knows whether it happened."
        self.writer.outcome(StepOutcome(number=step.number, state=StepState.UNKNOWN, error=error), None)
        return self._doubt(step)

    def _doubt(self, step: Step) -> bool:
        step.state = StepState.UNKNOWN
        self._wait(Wait.PERSON, step.decision_id, None)
        return False

    def _await(self, step: Step) -> bool:
        if step.state == StepState.UNKNOWN:
            return self._doubt(step)
        outcome = child_outcome(step)
        if outcome is None:
            self._wait(Wait.CHILD, step.child_id, None)
            return False
        self.work.label = self.work.label.join(Label.from_json(outcome.label or {}))
        self.writer.outcome(outcome, 0)
        return True

    def _wait(self, what: Wait, on: UUID | None, until: datetime | None) -> None:
        with self.writer.transaction() as entries:
            entries.change = Change(state=RunState.WAITING, waits_for=what, waits_on=on, wake_at=until)

    def _end(self, state: RunState, failure: str, output: Mapping[str, Any] | None) -> None:
        with self.writer.transaction() as entries:
            entries.change = Change(state=state, failure=failure, output=output)
            self.bells += wake_parent(entries.cursor, self.work)
            # The order of locks is parent before child, everywhere.
            entries.afterwards(lambda cursor: self.bells.extend(cancel_children(cursor, self.work)))
            entries.ended(state, failure)
