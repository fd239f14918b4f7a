"""A call that a person wants done again: an act like any other, judged and paid anew, with the key that it had.

What the first call was held for is booked already, and weeks may have gone by: neither its verdict nor its money is of
any worth. A call that a worker's death left without an outcome is not of this kind: what it was held for still is.
"""

from dataclasses import replace
from functools import partial

from agents.gate import Effect
from agents.runs import actions, calls
from agents.runs.calling import Calling
from agents.runs.claims import Change
from agents.runs.journal import StepRow, judge_again
from agents.runs.models import Step, StepKind, StepState
from agents.runs.writer import Entries


class Repeating(Calling):
    """One worker's hold on one run: what it does because a person says so."""

    def repeat(self, step: Step) -> bool:
        """Do a call again if it may be done now; whether the run goes on."""
        self.work.refresh()
        wait = next((one for one in self.work.steps if _is_wait_for(one, step)), None)
        problem = calls.problem_of(self.work, step.name, step.input)
        action = actions.call_again(self.work, step, wait, problem)
        row = StepRow(
            number=self.work.next_number, kind=StepKind(step.kind), state=StepState.INTENDED, name=step.name,
            decision_id=action.decision, attempt=step.attempt + 1, call_id=step.call_id, effect=action.target_effect,
            digest=action.digest, input=step.input, label=action.label.as_json(),
            provenance={key: label.as_json() for key, label in action.provenance.items()},
        )  # fmt: skip

        written = row

        def put(entries: Entries, decided: StepRow) -> None:
            nonlocal written
            is_refused = decided.state is StepState.REFUSED
            written = replace(decided, attempt=step.attempt) if is_refused else decided
            entries.repeats = not is_refused
            entries.afterwards(partial(judge_again, place=self.work.lease, number=step.number, row=written))
            data = {"step": step.number, "kind": step.kind, "name": step.name, "state": written.state}
            entries.event("step.refused" if is_refused else "step.repeated", data)

        admission = self.judge(action, lambda _: Change(), step=row, wait=wait, put=put)
        if admission.retry or admission.effect is Effect.ASK:
            return admission.retry
        step.state, step.attempt, step.error, step.usage = written.state, written.attempt, written.error, {}
        step.decision_id, step.digest = written.decision_id, written.digest
        step.verdict, step.provenance = dict(written.verdict), dict(written.provenance)
        return admission.effect is Effect.DENY or self.call_tool(step)


def _is_wait_for(one: Step, step: Step) -> bool:
    waits = one.kind == StepKind.DECISION_WAIT and one.state == StepState.WAITING
    return waits and one.call_id == step.call_id and one.number > step.number
