"""A run's commits, one after the other, and what the worker knows kept in step with them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import Error
from django.db.models.base import ModelState

from agents.gate import Admission, Verdict
from agents.runs.claims import StaleLeaseError
from agents.runs.commits import write
from agents.runs.committer import InterruptedRunError, commit_alone, committer, why_not
from agents.runs.entries import Commit, Entries, Event, Pending
from agents.runs.journal import ENGINE, StepOutcome, StepRow, engine_transaction
from agents.runs.leases import keeper
from agents.runs.models import Step
from agents.runs.taking import Taken
from agents.runs.work import Work

__all__ = ["Entries", "InterruptedRunError", "Writer"]


class Writer:
    """Writes a run's commits. Each raises StaleLeaseError or InterruptedRunError, after which nothing of it stands.

    `takes_more` says whether this worker takes another run when this one leaves it: the `successor`, if there was one.
    """

    def __init__(self, work: Work, takes_more: Callable[[], bool] = lambda: False) -> None:
        self.work, self._takes_more = work, takes_more
        self.successor: Taken | None = None
        self._outcomes: list[Pending] = []
        self._events: list[Event] = []
        self._label = work.label

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """To be written with the next commit."""
        self._events.append((kind, data))

    def outcome(self, outcome: StepOutcome, cost: int | None) -> None:
        """What became of a step; written with the next commit. `cost` None: what was held is booked."""
        self._outcomes.append((outcome, self.booked(cost)))
        _apply(self.work.steps[outcome.number - 1], outcome)

    def booked(self, cost: int | None) -> int | None:
        """At what a step is booked: at nothing where the model's answers are played."""
        is_played = self.work.player is not None and self.work.player.plays_model
        return 0 if is_played else cost

    def judged(
        self, verdict: Verdict, decide: Callable[[Entries, Admission], None], *, alone: bool,
        opening: Verdict | None = None,
    ) -> Admission:  # fmt: skip
        """Commit an act as the gate admits it; `decide` fills the entries, and may be asked more than once.

        `alone`: it reads or writes more than its entries, in a transaction of its own. `opening` is the verdict that
        lets the run start, committed before the act.
        """
        commit = self._commit(Entries(), verdict, decide)
        commit.opening = opening
        self._write(commit, alone=alone)
        if commit.admission is None:
            raise ValueError("The gate gave no answer.")
        return commit.admission

    def write(self, entries: Entries) -> None:
        """Commit entries that are complete."""
        commit = self._commit(entries)
        commit.makes_room = entries.change.state is not None and self._takes_more()
        self._write(commit, alone=not entries.is_shareable)

    @contextmanager
    def transaction(self) -> Iterator[Entries]:
        """One commit in a transaction of its own, open to whatever else belongs into it."""
        commit = self._commit(Entries())
        try:
            with engine_transaction() as cursor:
                commit.entries.own_cursor = cursor
                yield commit.entries
                write(cursor, [commit])
        except Error as error:
            raise why_not(commit, error) from error
        self._remember(commit)

    def _commit(
        self, entries: Entries, verdict: Verdict | None = None,
        decide: Callable[[Entries, Admission], None] | None = None,
    ) -> Commit:  # fmt: skip
        return Commit(
            work=self.work, outcomes=list(self._outcomes), events=list(self._events),
            former_label=self._label, verdict=verdict, decide=decide, entries=entries,
        )  # fmt: skip

    def _write(self, commit: Commit, *, alone: bool) -> None:
        if alone:
            commit_alone(commit)
        else:
            committer.commit(commit)
        self.successor = commit.successor
        self._remember(commit)

    def _remember(self, commit: Commit) -> None:
        for outcome, _ in commit.entries.outcomes:
            _apply(commit.step(outcome.number), outcome)
        self.work.steps += [_step_of(self.work, row) for row in commit.entries.steps]
        self.work.run.cost += commit.cost
        self.work.run.events_written = commit.last_event
        self.work.run.pause_requested = commit.is_pausing
        self._outcomes, self._events, self._label = [], [], self.work.label
        if time.monotonic() - commit.began > settings.RUN_LEASE_SECONDS / 2:
            # The answer came so late that another worker may have the run by now: nothing is done on its strength.
            raise StaleLeaseError(self.work.run.id)
        keeper.moved(self.work.lease)


def _apply(step: Step, outcome: StepOutcome) -> None:
    step.state, step.output, step.error = outcome.state, outcome.output, outcome.error
    if outcome.label is not None:
        step.label = dict(outcome.label)
    if outcome.usage:
        step.usage = dict(outcome.usage)
    step.ended_at = datetime.now(UTC)


_VALUES = attrgetter(*StepRow.__slots__)


def _step_of(work: Work, row: StepRow) -> Step:
    # The row is what the database has. Nobody saves it: Django's own making of an instance costs as much as a decision.
    step, state = Step.__new__(Step), ModelState()
    # Of its own: what a row is related to is kept in it.
    state.db, state.adding = ENGINE, False
    step.__dict__.update(
        zip(StepRow.__slots__, _VALUES(row), strict=True), _state=state, run_id=work.run.id,
        organisation_id=work.run.organisation_id, usage={}, cost=0, started_at=None, ended_at=None,
    )  # fmt: skip
    return step
