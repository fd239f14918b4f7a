"""The acts of a run that go out: to a model, to a tool, to another agent; and the built-ins, which stay here."""

from dataclasses import replace
from datetime import timedelta

from agents.catalogue.inference import InferenceError
from agents.catalogue.messages import ModelAnswer, ModelRequest
from agents.gate import Action, Effect
from agents.labels import Label
from agents.runs import actions, calls, context
from agents.runs.advancing import Advancing
from agents.runs.builtins.port import Done, Over, builtin, is_builtin
from agents.runs.builtins.results import begun
from agents.runs.children import create_child
from agents.runs.claims import Change
from agents.runs.clock import clock
from agents.runs.committer import committer
from agents.runs.compaction import compact
from agents.runs.journal import StepOutcome, StepRow
from agents.runs.models import RunState, Step, StepKind, StepState, Wait
from agents.runs.moves import DELEGATE, AskModel, DoCall
from agents.runs.player import Player
from agents.runs.retries import again_after, policy_of
from agents.runs.writer import Entries
from agents.tools.builtins import REMEMBER, SAVE_FILE
from agents.tools.port import ToolEffect

# What these do stays in the session of their run.
_KEEPING = {REMEMBER, SAVE_FILE}


class Calling(Advancing):
    """One worker's hold on one run: what it calls."""

    def ask_model(self, move: AskModel) -> bool:
        """Ask the model for its next answer; whether the run goes on."""
        self.work.refresh()
        plan = context.plan(self.work, tools := calls.offered(self.work))
        if plan.refusal:
            self.end(RunState.FAILED, plan.refusal, None)
            return False
        if plan.before is not None:
            return compact(self.work, self.writer, self.judge, plan.before, move.wait)
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
        admission = self.judge(action, lambda _: Change(), step=step, wait=move.wait, alone=False)
        if admission.effect is Effect.ASK:
            return False
        if admission.effect is Effect.DENY:
            return True
        return self._call_model(self.work.steps[-1], request)

    def _call_model(self, step: Step, request: ModelRequest) -> bool:
        try:
            with committer.away:
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
        if (again := again_after(step.attempt, error)) is None:
            self.end(RunState.FAILED, f"The model call failed. {error}", None)
            return False
        what, pause = again
        self.wait(what, None, clock.now() + timedelta(seconds=pause))
        return False

    def do_call(self, move: DoCall) -> bool:
        """Do a call that the model asked for; whether the run goes on."""
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
        admission = self.judge(action, lambda _: Change(), step=step, wait=move.wait, alone=False)
        if admission.effect is Effect.ALLOW:
            return self.call_tool(self.work.steps[-1])
        return admission.effect is Effect.DENY

    def call_tool(self, step: Step) -> bool:
        """Call a tool whose intent is committed; whether the run goes on."""
        tool = self.work.tools[step.name]
        with committer.away:
            called = calls.call_tool(self.work, tool, step.input, step.idempotency_key)
        if called.state is StepState.UNKNOWN and step.effect != ToolEffect.EFFECT:
            if (pause := policy_of(step.kind, step.effect).delay_before(step.attempt + 1)) is not None:
                # The step keeps its intent: whoever takes the run next repeats it with the same key.
                self.wait(Wait.TIMER, None, clock.now() + timedelta(seconds=pause))
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
        return called.state is not StepState.UNKNOWN or self.doubt(step)

    def _play(self, player: Player, action: Action, step: StepRow, wait: Step | None) -> bool:
        """A call of a replay: judged like any other, and answered as recorded, in one commit."""
        recorded = player.outcome(self.work.steps, step.name, step.input, step.call_id)
        is_kept = recorded is not None and recorded.state == StepState.SUCCEEDED and step.name in _KEEPING

        def put(entries: Entries, decided: StepRow) -> None:
            if player.plays_model and recorded is not None and recorded.state == decided.state == StepState.REFUSED:
                # Of a call in doubt whose repetition was refused, it tells what the tool had said before.
                decided = replace(decided, label=recorded.label)
            entries.add(decided)

        def begin(entries: Entries) -> Change:
            if is_kept:
                # In the session of the replay, which can be continued and forked; what it answers is recorded.
                builtin(step.name).begin(entries.cursor, self.work, step)
            if recorded is not None:
                step.state, step.output = StepState(recorded.state), recorded.output
                step.error, step.label = recorded.error, recorded.label
            return Change()

        admission = self.judge(action, begin, step=step, wait=wait, alone=is_kept, put=put)
        if admission.effect is Effect.ALLOW and step.kind is not StepKind.DELEGATION:
            self.work.label = self.work.label.join(Label.from_json(step.label))
        return True

    def _delegate(self, action: Action, step: StepRow, wait: Step | None) -> bool:
        step.state = StepState.WAITING

        def begin(entries: Entries) -> Change:
            child = create_child(entries.cursor, self.work, step, action)
            step.child_id = child
            return Change()

        admission = self.judge(action, begin, step=step, wait=wait)
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
                self.ends(entries, result.state, "")
                self.bells += result.bells
            return begun(self.work, step, result, entries)

        admission = self.judge(action, begin, step=step, wait=wait)
        return admission.effect is Effect.DENY or goes_on
