"""What every move of the engine is made of: to judge an act, to commit it, to wait, to end."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agents.gate import Action, Admission, Effect, Verdict, get_gate
from agents.registry.models import OnExhausted
from agents.runs import actions
from agents.runs.builtins.port import is_builtin
from agents.runs.children import cancel_below, void_waits, wake_above
from agents.runs.claims import Change
from agents.runs.clock import clock
from agents.runs.faults import last_word
from agents.runs.journal import StepOutcome, StepRow
from agents.runs.limits import next_month
from agents.runs.models import RunState, Step, StepKind, StepState, Wait
from agents.runs.moves import is_wanted_again
from agents.runs.player import stubbed
from agents.runs.retries import held_for
from agents.runs.work import Work
from agents.runs.writer import Entries, Writer
from foundation.batches import Cursor

JUDGEMENTS = 3  # how often an act is judged anew at once because policies or definitions changed meanwhile
_STILL = 1.0  # seconds, and up to as much again, in which a run waits for them to stand still


class Advancing:
    """One worker's hold on one run."""

    def __init__(self, work: Work, takes_more: Callable[[], bool] = lambda: False) -> None:
        self.gate = get_gate()
        self.work = work
        self.writer = Writer(self.work, takes_more)
        self.bells: list[UUID] = []
        self.retries = 0
        self.opening: Verdict | None = None

    def judge(
        self, action: Action, begin: Callable[[Entries], Change], *, step: StepRow | None, wait: Step | None = None,
        alone: bool = True, put: Callable[[Entries, StepRow], None] = Entries.add,
    ) -> Admission:  # fmt: skip
        """Prepare outside, then commit the decision, the former outcome, and this step's intent together.

        `alone`: beginning it reads or writes more than entries. `put` writes the step, if it is no new one. An
        admission that says retry is to be planned anew.
        """
        action = stubbed(self.work, action, step)
        verdict = self.gate.prepare([action])[0]
        opening, self.opening = self.opening, None

        def decide(entries: Entries, admission: Admission) -> None:
            self.fill(entries, verdict, admission, begin, step, wait, put)
            if opening is not None:
                entries.change = replace(entries.change, admitted=True)

        admission = self.writer.judged(verdict, decide, alone=alone, opening=opening)
        self.work.run.admitted = self.work.run.admitted or (opening is not None and not admission.retry)
        self.retries = self.retries + 1 if admission.retry else 0
        if action.stubbed and admission.effect is Effect.ASK:
            # Nobody is waited for: the next look at the journal finds the wait, and the recorded answer to it.
            return replace(admission, effect=Effect.DENY)
        return replace(admission, effect=Effect.ASK) if self.awaits_money(admission) else admission

    def awaits_money(self, admission: Admission) -> bool:
        return admission.scarce is not None and self.work.version.on_exhausted == OnExhausted.WAIT

    def idle(self, now: datetime) -> float:
        """For how many seconds the run has got no further; none where an approval was waited for until lately."""
        steps = self.work.steps
        since = steps[-1].ended_at if steps else self.work.run.started_at
        return (now - since).total_seconds() if since else 0.0

    def fill(
        self, entries: Entries, verdict: Verdict, admission: Admission, begin: Callable[[Entries], Change],
        step: StepRow | None, wait: Step | None, put: Callable[[Entries, StepRow], None],
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
                step.verdict = shown
                put(entries, step)
        elif self.awaits_money(admission):
            # The act is not written: it is planned anew when there is more. An approval of it stays as it is.
            now = clock.now()
            until = now + timedelta(seconds=held_for(self.idle(now))) if admission.held else next_month(now)
            entries.change = Change(
                state=RunState.WAITING, waits_for=Wait.BUDGET, waits_on=admission.scarce, wake_at=until
            )
        elif step is not None:
            why = " ".join(admission.reasons)
            entries.finish_wait(wait, why)
            put(entries, replace(step, verdict=shown, state=StepState.REFUSED, error=why))

    def wait(
        self, what: Wait, on: UUID | None, until: datetime | None, then: Callable[[Cursor], None] | None = None
    ) -> None:
        """Commit that the run waits."""
        entries = Entries(change=Change(state=RunState.WAITING, waits_for=what, waits_on=on, wake_at=until))
        if then is not None:
            entries.afterwards(then)
        self.writer.write(entries)

    def let_settle(self) -> bool:
        """Somebody changes policies or definitions all the while (a directory sends its people, say): try it later.

        Nothing has been decided, so nothing is refused; others have this worker's slot meanwhile.
        """
        pause = _STILL * (1 + random.random())  # noqa: S311 - spreads load, guards nothing
        self.wait(Wait.TIMER, None, clock.now() + timedelta(seconds=pause))
        return False

    def doubt(self, step: Step) -> bool:
        """Nobody knows what became of a step: a person is waited for."""
        step.state = StepState.UNKNOWN
        self.wait(Wait.PERSON, step.decision_id, None)
        return False

    def let_go(self) -> bool:
        """The process is about to end: another worker goes on from here."""
        self.writer.write(Entries(change=Change(state=RunState.QUEUED)))
        self.bells.append(self.work.run.id)
        return False

    def close(self, step: Step) -> None:
        """Say what is to be said of a step that has no outcome when its run ends."""
        state, error = last_word(step.kind, step.effect, step.state, undone=is_wanted_again(step))
        self.writer.outcome(StepOutcome(number=step.number, state=state, error=error), None)

    def end(self, state: RunState, failure: str, output: Mapping[str, Any] | None) -> None:
        """Commit that the run has ended."""
        for step in self.work.steps:
            if step.state in {StepState.INTENDED, StepState.WAITING}:
                self.close(step)
        entries = Entries(change=Change(state=state, failure=failure, output=output))
        self.ends(entries, state, failure)
        self.writer.write(entries)

    def ends(self, entries: Entries, state: RunState, failure: str) -> None:
        """What ends with a run: its waits, its parent's wait, the runs below it."""
        run = self.work.run.id
        # The order of locks: approvals, budgets, questions, then runs, from the root downwards and by id; everywhere.
        # Nobody but us comes for those of a run that we have, with its budgets in hand.
        if any(step.kind == StepKind.DECISION_WAIT for step in self.work.steps):
            entries.before(lambda cursor: self.gate.close(cursor, run))
        if any(is_builtin(step.name) for step in self.work.steps):
            entries.before(lambda cursor: void_waits(cursor, run))
        if self.work.run.parent_id is not None:
            entries.before(lambda cursor: self.bells.extend(wake_above(cursor, run)))
        if any(step.child_id for step in self.work.steps):
            entries.afterwards(lambda cursor: self.bells.extend(cancel_below(cursor, run)))
        entries.ended(state, failure)
