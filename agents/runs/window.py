"""The part of a session that a model is shown: all of it, or as many of the newest exchanges as fit. Pure.

Tokens are counted without a tokenizer. A token of a byte-level vocabulary is at least one byte long, so the bytes of
what is sent are an upper bound (the gate's estimate rests on the same one). Once the endpoint has counted a request,
the bound is scaled by what it counted, with half as much again for safety: see `scale_of`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any
from uuid import UUID

from agents.catalogue.messages import Item
from agents.runs.models import RunState, Step, StepKind, StepState, Summary

PURPOSE = "purpose"
COMPACTION = "compaction"
NOT_SUMMED_UP = "The older part could not be summed up."
OVERHEAD = 66  # what `ModelRequest.most_input_tokens` counts for an item or a tool beyond its JSON
CALLS = (StepKind.TOOL_CALL, StepKind.DELEGATION)
_OVER = (StepState.SUCCEEDED, StepState.FAILED, StepState.REFUSED)
_PUT_OFF = {"busy", "put_off"}
_MARGIN, _FLOOR = 1.5, 0.25
_write = json.JSONEncoder(ensure_ascii=False).encode
_NEVER_MADE = json.dumps({"failed": "The run ended before this call was made."})
_IN_DOUBT = json.dumps({"unknown": "Nobody knows whether this happened."})


def bound_of(value: Any) -> int:
    """The most tokens that an item, a tool or a text can be: its bytes as JSON, and what is put around it."""
    return len(_write(value).encode()) + OVERHEAD


def scale_of(counted: int, reported: int | None) -> float:
    """How many tokens a byte of the bound is taken for: 1 until the endpoint has `reported` what we had `counted`.

    Half as many again as it reported, and never less than a quarter: an endpoint that reports too little must not
    make everything seem to fit.
    """
    if not counted or not reported:
        return 1.0
    return min(1.0, max(_FLOOR, _MARGIN * reported / counted))


def is_compaction(step: Step) -> bool:
    """Whether a step summed the session up, which is no answer of the model."""
    return step.kind == StepKind.MODEL_CALL and step.input.get(PURPOSE) == COMPACTION


def is_lost_compaction(step: Step) -> bool:
    """Whether summing up was tried, and did not work: what is old is left out then. A worker's death is not that."""
    if not is_compaction(step):
        return False
    return step.state == StepState.REFUSED or (step.state == StepState.FAILED and step.error.startswith(NOT_SUMMED_UP))


def is_put_off(step: Step) -> bool:
    """Whether summing up waited for an endpoint that was busy or away: it is tried again."""
    return is_compaction(step) and step.state == StepState.FAILED and not step.usage.keys().isdisjoint(_PUT_OFF)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a session: after step `number` of `run`; 0 is before its input, and after all earlier runs."""

    run: UUID
    number: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What is shown or left out together: no call without its result. It ends at `place`.

    `opens`: an exchange begins with it, with a former run's input.
    """

    place: Place
    items: tuple[Item, ...]
    labels: tuple[Mapping[str, Any], ...] = ()
    opens: bool = False
    bound: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", sum(map(bound_of, self.items)))


def asked(question: Any) -> Item:
    """A run's input as the model sees it."""
    text = question if isinstance(question, str) else json.dumps(question, ensure_ascii=False)
    return {"type": "message", "role": "user", "text": text}


def told(step: Step) -> str:
    """What the model is told of a call: its output, or why there is none."""
    if step.state == StepState.REFUSED:
        return json.dumps({"refused": step.error}, ensure_ascii=False)
    if step.state == StepState.FAILED:
        return json.dumps({"failed": step.error}, ensure_ascii=False)
    return json.dumps(step.output, ensure_ascii=False)


def rounds(run: UUID, steps: Iterable[Step]) -> list[Unit]:
    """Each answer of the model with the results of all calls in it, whatever the run's end left undone."""
    found: list[Unit] = []
    answer: Step | None = None
    results: list[Step] = []
    for step in steps:
        if step.kind == StepKind.MODEL_CALL and step.state == StepState.SUCCEEDED and not is_compaction(step):
            found += _round(run, answer, results)
            answer, results = step, []
        elif step.kind in CALLS:
            results.append(step)
    return found + _round(run, answer, results)


def _round(run: UUID, answer: Step | None, results: Sequence[Step]) -> list[Unit]:
    if answer is None:
        return []
    said: list[Item] = list((answer.output or {}).get("items", []))
    waiting = [item["call_id"] for item in said if item["type"] == "call"]
    known: list[Item] = []
    for step in results:
        if step.call_id in waiting:
            waiting.remove(step.call_id)
            output = told(step) if step.state in _OVER else _IN_DOUBT
            known.append({"type": "result", "call_id": step.call_id, "output": output})
    known += [{"type": "result", "call_id": one, "output": _NEVER_MADE} for one in waiting]
    last = max([answer.number, *(step.number for step in results)])
    labels = (answer.label, *(step.label for step in results))
    return [Unit(Place(run, last), (*said, *known), labels)]


def exchange(run: UUID, question: Any, label: Mapping[str, Any], steps: Iterable[Step], state: str) -> list[Unit]:
    """A former run: its input with the first round, and the others. The model is told if it has no end."""
    input_, found = asked(question), rounds(run, steps)
    end: tuple[Item, ...] = ()
    if state != RunState.SUCCEEDED:
        end = ({"type": "message", "role": "assistant", "text": f"[This was not finished: the run is {state}.]"},)
    if not found:
        return [Unit(Place(run, 0), (input_, *end), (label,), opens=True)]
    first, last = found[0], found[-1]
    if end:
        found[-1] = Unit(last.place, (*last.items, *end), last.labels)
        first = found[0]
    found[0] = Unit(first.place, (input_, *first.items), (label, *first.labels), opens=True)
    return found


@dataclass(slots=True, kw_only=True)
class Window:
    """What `run` shows its model: `lead` (memory and summary), former exchanges, its input, its own rounds.

    `units` are the exchanges from the oldest on; those before `start` are left out, those from `own` on are this
    run's rounds, before which its input stands. `scale` is tokens for each byte of the bound; `base` the bound of
    instructions and tools, counted of what is `offered`; `seen` how many of the run's steps are in; `summary` what
    stands for the oldest.
    """

    run: UUID
    question: Item
    lead: str = ""
    units: list[Unit] = field(default_factory=list)
    own: int = 0
    start: int = 0
    scale: float = 1.0
    base: int = 0
    seen: int = 0
    offered: tuple[object, ...] = ()
    summary: Summary | None = None
    _held: int = 0
    _asked: int = 0

    def __post_init__(self) -> None:
        self._asked = bound_of(self.question)
        self._held = sum(unit.bound for unit in self.units[self.start :])

    def add(self, units: Iterable[Unit]) -> None:
        """The run's next rounds."""
        for unit in units:
            self.units.append(unit)
            self._held += unit.bound

    def skip(self, place: Place) -> None:
        """Leave out what stands up to a place."""
        if place.run == self.run:
            end = self.own + sum(1 for unit in self.units[self.own :] if unit.place.number <= place.number)
        else:
            mine = [at for at, unit in enumerate(self.units) if unit.place.run == place.run]
            done = [at for at in mine if place.number and self.units[at].place.number <= place.number]
            end = done[-1] + 1 if done else mine[0] if mine else 0
        self._move(end)

    def _move(self, end: int) -> None:
        while self.start < end:
            self._held -= self.units[self.start].bound
            self.start += 1

    @property
    def bound(self) -> int:
        """The most tokens that the next request can have, as `ModelRequest.most_input_tokens` counts them."""
        lead = bound_of(asked(self.lead)) if self.lead else 0
        return self.base + lead + self._asked + self._held

    @property
    def tokens(self) -> int:
        """How many tokens the next request is taken for."""
        return int(self.bound * self.scale)

    @property
    def items(self) -> list[Item]:
        """What is shown, in order. What leads stands in the first message of a person, so that turns alternate."""
        shown = [item for unit in self.units[self.start : self.own] for item in unit.items]
        shown.append(self.question)
        shown += [item for unit in self.units[max(self.start, self.own) :] for item in unit.items]
        if not self.lead:
            return shown
        if shown[0].get("role") == "user":
            return [{**shown[0], "text": f"{self.lead}\n\n{shown[0]['text']}"}, *shown[1:]]
        return [asked(self.lead), *shown]

    @property
    def last(self) -> int:
        """How many of the oldest units may go: not the round that the model is about to look at."""
        return len(self.units) - 1 if len(self.units) > self.own else len(self.units)

    def drop(self, target: int) -> Place | None:
        """Leave out whole exchanges, the oldest first, until at most `target` tokens are left; up to where.

        None: there is nothing that may go. Of this run it leaves out rounds, never the input or the last round.
        """
        before = self.start
        while self.start < self.last and (self.tokens > target or not self._is_boundary(self.start)):
            self._move(self.start + 1)
        return self.place_before(self.start) if self.start > before else None

    def _is_boundary(self, at: int) -> bool:
        return at >= self.own or self.units[at].opens

    def place_before(self, at: int) -> Place:
        """Where the units before `at` end; the end of a run is said by the run after it."""
        if at == self.own:
            return Place(self.run, 0)
        if at < len(self.units) and self.units[at].opens:
            return Place(self.units[at].place.run, 0)
        return self.units[at - 1].place

    def to_cover(self, target: int, room: int) -> int:
        """Up to which unit to sum up, so that about `target` tokens are left; `room` is what a summary may be made of.

        It is `start` when there is nothing to sum up.
        """
        reached = list(accumulate((unit.bound for unit in self.units[self.start : self.last]), initial=0))
        fitting = [at for at, bound in enumerate(reached) if at and bound * self.scale <= room]
        if not fitting:
            return self.start
        too_many = self.tokens - target
        enough = [at for at in fitting if reached[at] * self.scale >= too_many] or fitting[-1:]
        whole = [at for at in enough if self._is_boundary(self.start + at)]
        return self.start + (whole or enough)[0]
