"""What one commit of a run adds to its journal, and what comes of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.gate import Admission, Verdict
from agents.labels import Label
from agents.runs.claims import Change
from agents.runs.journal import StepOutcome, StepRow
from agents.runs.models import RunState, Step, StepState
from agents.runs.taking import Taken
from agents.runs.work import Work
from foundation.batches import Cursor

Event = tuple[str, Mapping[str, Any]]
Pending = tuple[StepOutcome, int | None]


@dataclass(slots=True)
class Entries:
    """What one commit of a run adds. `cursor` is there when the commit has a transaction of its own."""

    own_cursor: Cursor | None = None
    change: Change = field(default_factory=Change)
    steps: list[StepRow] = field(default_factory=list)
    outcomes: list[Pending] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sooner: list[Callable[[Cursor], None]] = field(default_factory=list)
    later: list[Callable[[Cursor], None]] = field(default_factory=list)
    state: tuple[RunState, str] | None = None
    repeats: bool = False  # it begins an act that has a step already

    @property
    def cursor(self) -> Cursor:
        """The transaction of its own."""
        if self.own_cursor is None:
            raise TypeError("This commit shares its transaction: use before() or afterwards().")
        return self.own_cursor

    @property
    def is_shareable(self) -> bool:
        """Whether it may be written together with others: it does nothing but to add rows."""
        return not (self.own_cursor or self.sooner or self.later)

    def add(self, step: StepRow) -> None:
        """A new step."""
        self.steps.append(step)
        data = {"step": step.number, "kind": step.kind, "name": step.name, "state": step.state}
        self.event(f"step.{step.state}", data)

    def outcome(self, outcome: StepOutcome, cost: int | None = 0) -> None:
        """What became of a step, written with this commit."""
        self.outcomes.append((outcome, cost))

    def finish_wait(self, wait: Step | None, refusal: str) -> None:
        """End the wait for a decision; `refusal` is empty when the act was admitted."""
        if wait is None:
            return
        state = StepState.REFUSED if refusal else StepState.SUCCEEDED
        self.outcome(StepOutcome(number=wait.number, state=state, error=refusal))

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Something to stream."""
        self.events.append((kind, data))

    def before(self, act: Callable[[Cursor], None]) -> None:
        """In the same transaction, after the budgets' rows and before the run's own row are locked."""
        self.sooner.append(act)

    def afterwards(self, act: Callable[[Cursor], None]) -> None:
        """In the same transaction, after the run's own row is locked."""
        self.later.append(act)

    def ended(self, state: RunState, why: str) -> None:
        """The run has ended: the last of its events."""
        self.state = (state, why)


@dataclass(slots=True, kw_only=True)
class Commit:
    """One run's part of a transaction: what is to be written, and what came of it.

    `outcomes` and `events` are those since its last commit. `opening` is the verdict that lets the run start, if
    it does so with this commit. `makes_room`: the run leaves this worker, which takes another one in its place with the
    same statement, if one is ready: `successor`. `decide` fills the entries once the gate has admitted or
    refused the act of `verdict`. `retry` in the admission means that the act is not written, but all else is.
    """

    work: Work
    outcomes: Sequence[Pending] = ()
    events: Sequence[Event] = ()
    former_label: Label = field(default_factory=Label)
    opening: Verdict | None = None
    verdict: Verdict | None = None
    decide: Callable[[Entries, Admission], None] | None = None
    entries: Entries = field(default_factory=Entries)
    admission: Admission | None = None
    cost: int = 0
    last_event: int = 0
    is_pausing: bool = False
    makes_room: bool = False
    successor: Taken | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def learnt(self) -> bool:
        """Whether the session has seen something whose label is new to it."""
        return self.work.label != self.former_label

    @property
    def all_outcomes(self) -> list[Pending]:
        """Those since the last commit, and those that came with this one."""
        return [*self.outcomes, *self.entries.outcomes]

    def step(self, number: int) -> Step:
        """A step of the journal so far."""
        return self.work.steps[number - 1]
