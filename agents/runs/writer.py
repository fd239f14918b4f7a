"""One commit of the engine: what became of the former step, the next intent, the run itself, events and record."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from agents.gate import Cursor, Settlement, get_gate
from agents.runs.claims import Change, hold
from agents.runs.journal import ENGINE, StepOutcome, StepRow, add_events, add_step, engine_transaction, finish_step
from agents.runs.leases import keeper
from agents.runs.models import RunState, Session, Step, StepKind, StepState
from agents.runs.work import Work
from foundation.audit.record import Entry, entry, record

Event = tuple[str, Mapping[str, Any]]
Pending = tuple[StepOutcome, int | None]


class InterruptedRunError(Exception):
    """The run was cancelled, or has passed its time limit: nothing was written, and it is to end now."""


@dataclass(slots=True)
class Entries:
    """What one transaction gathers; written at its end."""

    cursor: Cursor
    change: Change = field(default_factory=Change)
    steps: list[StepRow] = field(default_factory=list)
    outcomes: list[Pending] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sooner: list[Callable[[Cursor], None]] = field(default_factory=list)
    later: list[Callable[[Cursor], None]] = field(default_factory=list)
    state: tuple[RunState, str] | None = None
    abandoned: bool = False

    def add(self, step: StepRow) -> None:
        """A new step."""
        self.steps.append(step)
        kind = "step.waiting" if step.state is StepState.WAITING else f"step.{step.state.value}"
        self.event(kind, {"step": step.number, "kind": step.kind.value, "name": step.name, "state": step.state.value})

    def finish_wait(self, wait: Step | None, refusal: str) -> None:
        """End the wait for a decision; `refusal` is empty when the act was admitted."""
        if wait is None:
            return
        state = StepState.REFUSED if refusal else StepState.SUCCEEDED
        self.outcomes.append((StepOutcome(number=wait.number, state=state, error=refusal), 0))

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
        """The run has ended."""
        self.state = (state, why)
        self.event(f"run.{state.value}", {"state": state.value, "reason": why})

    def abandon(self) -> None:
        """Write nothing after all."""
        self.abandoned = True
        transaction.set_rollback(True, using=ENGINE)


class Writer:
    """Writes a run's commits, and keeps what the worker knows in step with them."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._outcomes: list[Pending] = []
        self._events: list[Event] = []
        self._label = work.label

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """To be written with the next commit."""
        self._events.append((kind, data))

    def outcome(self, outcome: StepOutcome, cost: int | None) -> None:
        """What became of a step; written with the next commit. `cost` None: what was held is booked."""
        self._outcomes.append((outcome, cost))
        _apply(self.work.steps[outcome.number - 1], outcome)

    @contextmanager
    def transaction(self) -> Iterator[Entries]:
        """One commit. Raises StaleLeaseError or InterruptedRunError, after which nothing of it stands."""
        with engine_transaction() as cursor:
            entries = Entries(cursor)
            yield entries
            if not entries.abandoned:
                self._write(entries)
        if not entries.abandoned:
            self._remember(entries)
            keeper.moved(self.work.lease)

    def _write(self, entries: Entries) -> None:
        outcomes = [*self._outcomes, *entries.outcomes]
        booked = self._settle(entries.cursor, outcomes)
        events = [*self._events, *map(_event_of, (one for one, _ in outcomes), self._names(outcomes)), *entries.events]
        if entries.change.state is RunState.WAITING:
            events.append(("run.waiting", {"waits_for": str(entries.change.waits_for)}))
        change = replace(
            entries.change,
            cost=sum(booked),
            input_tokens=sum(one.usage.get("input_tokens") or 0 for one, _ in outcomes),
            output_tokens=sum(one.usage.get("output_tokens") or 0 for one, _ in outcomes),
            rehearsed=self.work.provider.rehearsal,
            progressed=any(self._is_progress(one) for one, _ in outcomes),
        )
        for act in entries.sooner:
            act(entries.cursor)
        lease, seconds = self.work.lease, settings.RUN_LEASE_SECONDS
        held = hold(entries.cursor, lease, seconds, change, steps=len(entries.steps), events=len(events))
        if (held.is_cancelled or held.is_late) and not change.ends:
            self.work.run.cancel_requested, self.work.is_late = held.is_cancelled, held.is_late
            raise InterruptedRunError
        for (outcome, _), cost in zip(outcomes, booked, strict=True):
            finish_step(entries.cursor, lease, replace(outcome, cost=cost))
        for step in entries.steps:
            add_step(entries.cursor, lease, step)
        add_events(entries.cursor, lease, held.last_event, events)
        if self.work.label != self._label:
            Session.objects.using(ENGINE).filter(pk=self.work.session.id).update(label=self.work.label.as_json())
        for act in entries.later:
            act(entries.cursor)
        record(*self._told(entries, outcomes), cursor=entries.cursor)
        self.work.run.cost += change.cost
        self.work.run.events_written = held.last_event

    def _settle(self, cursor: Cursor, outcomes: list[Pending]) -> list[int]:
        run = self.work.run
        return get_gate().settle(
            cursor,
            [
                Settlement(
                    organisation=run.organisation_id,
                    decision=self._decision(outcome),
                    run=run.id,
                    cost=cost,
                )
                for outcome, cost in outcomes
            ],
        )

    def _is_progress(self, outcome: StepOutcome) -> bool:
        return outcome.state is StepState.SUCCEEDED and self._step(outcome).kind != StepKind.DECISION_WAIT

    def _step(self, outcome: StepOutcome) -> Step:
        return self.work.steps[outcome.number - 1]

    def _decision(self, outcome: StepOutcome) -> UUID:
        decision = self._step(outcome).decision_id
        if decision is None:
            raise ValueError(f"step {outcome.number} has no decision")
        return decision

    def _names(self, outcomes: list[Pending]) -> list[Step]:
        return [self._step(outcome) for outcome, _ in outcomes]

    def _told(self, entries: Entries, outcomes: list[Pending]) -> list[Entry]:
        actor, told = self.work.actor, []
        for outcome, _ in outcomes:
            step = self._step(outcome)
            if step.kind == StepKind.DECISION_WAIT:
                continue
            good = outcome.state is StepState.SUCCEEDED
            told.append(
                entry(
                    actor, f"{step.kind}.{outcome.state}", target_kind=step.kind, target_name=step.name,
                    outcome="ok" if good else "failed", reason=outcome.error, step=step.number,
                    details={"key": step.idempotency_key, "digest": step.digest, "attempt": step.attempt},
                )
            )  # fmt: skip
        if entries.state is not None:
            state, why = entries.state
            told.append(
                entry(
                    actor, f"run.{state}", target_kind="run", target_id=self.work.run.id,
                    target_name=self.work.run.title, reason=why,
                    outcome="ok" if state is RunState.SUCCEEDED else "failed",
                )
            )  # fmt: skip
        return told

    def _remember(self, entries: Entries) -> None:
        for outcome, _ in entries.outcomes:
            _apply(self._step(outcome), outcome)
        self.work.steps += [_step_of(self.work, row) for row in entries.steps]
        self._outcomes, self._events, self._label = [], [], self.work.label


def _event_of(outcome: StepOutcome, step: Step) -> Event:
    data = {"step": step.number, "kind": step.kind, "name": step.name, "state": outcome.state.value}
    return f"step.{outcome.state.value}", data


def _apply(step: Step, outcome: StepOutcome) -> None:
    step.state, step.output, step.error = outcome.state, outcome.output, outcome.error
    if outcome.label is not None:
        step.label = dict(outcome.label)
    step.ended_at = datetime.now(UTC)


def _step_of(work: Work, row: StepRow) -> Step:
    return Step(
        run_id=work.run.id, number=row.number, organisation_id=work.run.organisation_id, kind=row.kind,
        state=row.state, attempt=row.attempt, name=row.name, call_id=row.call_id, effect=row.effect,
        idempotency_key=row.idempotency_key, digest=row.digest, decision_id=row.decision_id, verdict=row.verdict,
        input=row.input, output=row.output, label=row.label, provenance=row.provenance, child_id=row.child_id,
        error=row.error, usage={},
    )  # fmt: skip
