"""A run with all that it delegated, as one tree of steps in the order in which they were written.

The tree is read without what was said and done, however much that is; of what is drawn the beginnings are read.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.registry.models import LARGE_IN_VERSIONS
from agents.runs.bodies import Reading, read_runs
from agents.runs.models import Run, RunState, Step
from agents.runs.shown import kind_of, name_of, state_of
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.web.components.charts import Share
from foundation.web.components.quantities import duration
from foundation.web.components.steps import step_look
from foundation.web.waterfall import Span

MOST_STEPS = 5_000
LONGEST_NOTE = 60
PROBLEMS = frozenset({"failed", "denied", "refused", "unknown"})
SHARES = {"model": "Models", "tool": "Tools", "wait": "Waiting for people", "guard": "Waiting"}
_LARGE = ("input", "output", "error", "label", "provenance", "usage")
# What a call is about: its first text, or else its first number; never the insides of a list or an object.
_FIRST = """
SELECT s.run_id, s.number, left((
    SELECT value #>> '{}' FROM jsonb_each(s.input) WITH ORDINALITY AS one(name, value, place)
    WHERE jsonb_typeof(value) IN ('string', 'number', 'boolean')
    ORDER BY jsonb_typeof(value) <> 'string', place LIMIT 1
), %(longest)s)
FROM runs_step s JOIN unnest(%(runs)s::uuid[], %(numbers)s::int[]) AS wanted(run, number)
    ON s.run_id = wanted.run AND s.number = wanted.number
WHERE jsonb_typeof(s.input) = 'object'
"""
GOING_ON = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.WAITING})


@dataclass(frozen=True, slots=True)
class Told:
    """One step of the tree. `key` names it in addresses: its number, for a sub-agent's after the run's id."""

    key: str
    step: Step
    depth: int
    child: Run | None
    reading: Reading

    @property
    def is_deep(self) -> bool:
        """Whether it is a sub-agent's."""
        return self.depth > 1

    @property
    def state(self) -> str:
        """As the page says it."""
        return state_of(self.step)

    @property
    def kind(self) -> str:
        """Who worked."""
        return kind_of(self.step)

    @property
    def icon(self) -> str:
        """As in the tree."""
        return step_look(self.kind, self.state).icon

    @property
    def label(self) -> str:
        """What it is called in the tree."""
        if self.child is not None:
            return str(self.child.agent.name)
        return name_of(self.step)

    @property
    def note(self) -> str:
        """What it is about, short, without anything that was said: `Story.noted` has that."""
        again = f" · attempt {self.step.attempt}" if self.step.attempt > 1 else ""
        if self.child is not None:
            return f"sub-agent · v{self.child.version.number}{again}"
        if self.kind == "model":
            return f"{self.step.name}{again}"
        return again.removeprefix(" · ")

    @property
    def is_noted(self) -> bool:
        """Whether the beginning of its first argument says what it is about, to whoever may read it."""
        return self.child is None and self.kind != "model" and self.reading.is_auditor


class Story:
    """What the run's page tells. `told` is the whole tree, `run` its root."""

    def __init__(self, actor: Actor, run: Run) -> None:
        self.run = run
        rows = Run.objects.all().permitted(actor, Permission.RUN_VIEW).filter(root_id=run.root_id)
        rows = rows.defer("input", "output", "input_label", *(f"version__{one}" for one in LARGE_IN_VERSIONS))
        self._runs = {row.id: row for row in rows.select_related("agent", "version")}
        self._steps: dict[UUID, list[Step]] = {}
        steps = Step.objects.filter(run_id__in=list(self._runs)).defer(*_LARGE)
        for step in steps.order_by("run_id", "number")[:MOST_STEPS]:
            self._steps.setdefault(step.run_id, []).append(step)
        self.readings = read_runs(actor, list(self._shown(run.id)), Permission.RUN_CONTROL)
        self.told = list(self._below(run.id, 1))

    def _shown(self, run: UUID) -> Iterator[UUID]:
        """A run and all that it delegated, as far as they are seen: others of its tree are not on this page."""
        yield run
        for step in self._steps.get(run, []):
            if step.child_id in self._runs:
                yield from self._shown(step.child_id)

    def _below(self, run: UUID, depth: int) -> Iterator[Told]:
        for step in self._steps.get(run, []):
            child = self._runs.get(step.child_id) if step.child_id else None
            key = str(step.number) if run == self.run.id else f"{run.hex}.{step.number}"
            yield Told(key, step, depth, child, self.readings[run])
            if child is not None:
                yield from self._below(child.id, depth + 1)

    @property
    def runs(self) -> list[UUID]:
        """The run and all that it delegated."""
        return [self.run.id, *(one.child.id for one in self.told if one.child is not None)]

    @property
    def rows(self) -> list[Run]:
        """The same as they are."""
        return [self.run, *(one.child for one in self.told if one.child is not None)]

    @property
    def length(self) -> float | None:
        """Seconds since it began, until its end or now."""
        return _second(self.run.ended_at or timezone.now(), self.run.started_at or self.run.created_at)

    @property
    def tokens(self) -> int:
        """In and out, without those of sub-agents."""
        return self.run.input_tokens + self.run.output_tokens

    @property
    def problems(self) -> int:
        """How many steps went wrong."""
        return sum(1 for one in self.told if one.state in PROBLEMS)

    @property
    def is_going_on(self) -> bool:
        """Whether more will come."""
        return self.run.state in GOING_ON

    def spans(self, kind: str = "") -> list[Span]:
        """The tree for the waterfall, in seconds since the run began; `kind` keeps model, tools, policy or problem."""
        run, zero = self.run, self.run.started_at or self.run.created_at
        own = Span(0, _second(run.ended_at, zero), 0, run.agent.name, "agent", run.state, run.title, "")
        return [own, *(self._span(one, zero) for one in self.told if _is_kept(one, kind))]

    def noted(self, spans: Sequence[Span]) -> list[Span]:
        """The spans that are drawn, each with the beginning of what it is about: one query, however many they are."""
        told = {one.key: one.step for one in self.told if one.is_noted}
        shown = {span.key: told[span.key] for span in spans if span.key in told and span.holds == 1}
        first = _beginnings(shown.values())
        return [replace(span, note=_note(first.get(shown[span.key].pk), span.note)) if span.key in shown else span
                for span in spans]  # fmt: skip

    def note_of(self, told: Told) -> str:
        """The same of one step."""
        return _note(_beginnings([told.step]).get(told.step.pk), told.note) if told.is_noted else told.note

    def _span(self, one: Told, zero: datetime) -> Span:
        start = _second(one.step.started_at, zero) or 0.0
        end = _second(one.step.ended_at, zero)
        if one.child is not None and one.child.ended_at is not None:
            # The step lasts until all that was delegated beside it is joined; the bar is the sub-agent's.
            end = _second(one.child.ended_at, zero)
        if end is None and not self.is_going_on:
            end = _second(self.run.ended_at, zero)
        return Span(max(start, 0.0), end, one.depth, one.label, one.kind, one.state, one.note, one.key)

    @property
    def now(self) -> float | None:
        """The moment that open bars reach, in seconds since the run began; None if it has ended."""
        return _second(timezone.now(), self.run.started_at or self.run.created_at) if self.is_going_on else None

    def shares(self) -> list[Share]:
        """Where the time went: models, tools, waiting for people, waiting for moments and events."""
        spent = dict.fromkeys(SHARES, 0.0)
        for one in self.told:
            kind = "guard" if one.kind in {"timer", "event"} else one.kind
            if one.kind != "guard" and kind in spent:
                spent[kind] += ((one.step.ended_at or timezone.now()) - one.step.started_at).total_seconds()
        return [Share(SHARES[kind], kind, seconds, duration(seconds)) for kind, seconds in spent.items()]

    def find(self, key: str) -> Told | None:
        """The step of an address."""
        return next((one for one in self.told if one.key == key), None)


def _note(first: str | None, note: str) -> str:
    return " · ".join(one for one in (first, note) if one)


def _beginnings(steps: Collection[Step]) -> dict[tuple[UUID, int], str | None]:
    """The beginning of the first argument of each, by its key; None where there is none."""
    if not steps:
        return {}
    given: dict[str, Any] = {
        "runs": [one.run_id for one in steps],
        "numbers": [one.number for one in steps],
        "longest": LONGEST_NOTE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, given)
        return {(run, number): text for run, number, text in cursor.fetchall()}


def _is_kept(one: Told, kind: str) -> bool:
    match kind:
        case "model":
            return one.kind == "model"
        case "tools":
            return one.kind in {"tool", "agent"}
        case "policy":
            return one.kind == "wait" or one.state in {"denied", "refused"}
        case "problem":
            return one.state in PROBLEMS
    return True


def _second(moment: datetime | None, zero: datetime) -> float | None:
    return None if moment is None else (moment - zero).total_seconds()
