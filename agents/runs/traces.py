"""What a run did, told apart from when, at what price and after how many attempts: its trace, hashed and compared.

The trace of a run is its input, the content hash of its version, and of each step: kind, name, state, the arguments of
a call, what came of it (output, or the error that the model is told), the gate's effect and the label. Left out is
whatever differs between two runs that did the same: ids (also of files and addresses), times, cost, tokens, keys,
decisions' ids; attempts at a model that were followed by another, and questions to people that were asked anew: of a
call that is done again, the last one stands before it. A call's id counts as its place in the run.
`trace_hash` is SHA-256 over the RFC 8785 canonical JSON of the trace.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from agents.runs.builtins.events import EXPECT
from agents.runs.builtins.filing import SaveFile
from agents.runs.models import Run, Step, StepKind, StepState
from agents.runs.window import is_lost_compaction
from foundation.audit.plain import plain
from foundation.digests import digest_of

# What our own tools answer that belongs to one run only; of a file there is its digest.
_ITS_OWN: Mapping[str, Set[str]] = {SaveFile.name: {"file"}, EXPECT: {"address", "until"}}
CALLS = frozenset({StepKind.TOOL_CALL, StepKind.DELEGATION})
_NOTICEABLE = 0.1  # seconds by which two durations differ before it is worth a word


def journal_of(run: Run) -> list[Step]:
    """The steps of a run, in order."""
    return list(Step.objects.filter(run_id=run.id).order_by("number"))


def effective(steps: Sequence[Step]) -> list[Step]:
    """The steps that counted: no attempt at a model that another followed, no question that was asked anew."""
    last = max((step.number for step in steps if step.kind == StepKind.MODEL_CALL), default=0)
    kept: list[Step] = []
    for step, following in zip_longest(steps, steps[1:]):
        failed = step.kind == StepKind.MODEL_CALL and step.state == StepState.FAILED and not is_lost_compaction(step)
        again = failed and step.number < last
        anew = (
            step.kind == StepKind.DECISION_WAIT and following is not None
            and following.kind == StepKind.DECISION_WAIT and following.call_id == step.call_id
        )  # fmt: skip
        if again or anew:
            continue
        place = _asked_about_again(kept, step)
        if place is None:
            kept.append(step)
        elif step.state != StepState.REFUSED or kept[-1].state == StepState.REFUSED:
            kept[place:] = [step, kept[-1]]
        # Else the run ended before anybody had answered: it came to nothing.
    return kept


def _asked_about_again(kept: Sequence[Step], step: Step) -> int | None:
    """Where a question stands that was asked when its call was to be done again: before the call, for any former one.

    So the trace is that of a run which asked first, and then called: what became of the call is said by its last try.
    """
    called = bool(kept) and kept[-1].kind in CALLS and kept[-1].call_id == step.call_id
    if step.kind != StepKind.DECISION_WAIT or not called:
        return None
    place = len(kept) - 1
    is_asked = place > 0 and kept[place - 1].kind == StepKind.DECISION_WAIT
    return place - 1 if is_asked and kept[place - 1].call_id == step.call_id else place


def trace(run: Run, steps: Sequence[Step]) -> dict[str, Any]:
    """The trace of a run, as plain values."""
    places: dict[str, int] = {}
    return {
        "input": run.input,
        "version": run.version.content_hash,
        "steps": [_traced(step, places) for step in effective(steps)],
    }


def trace_hash(run: Run) -> str:
    """The hash of a run's trace, with its algorithm tag. A replay of an unchanged run has the same."""
    return hash_of(trace(run, journal_of(run)))


def hash_of(told: Mapping[str, Any]) -> str:
    """The hash of a trace, or of a part of one."""
    return digest_of(plain(told, fractions=True))


def _traced(step: Step, places: dict[str, int]) -> dict[str, Any]:
    output = step.output
    if step.kind == StepKind.MODEL_CALL and isinstance(output, Mapping):
        output = [_placed(item, places) for item in output.get("items", [])]
    elif step.name in _ITS_OWN and isinstance(output, Mapping):
        output = {name: value for name, value in output.items() if name not in _ITS_OWN[step.name]}
    return {
        "kind": step.kind,
        "name": step.name,
        "state": step.state,
        # What a model is given is all that stands before it.
        "input": {} if step.kind == StepKind.MODEL_CALL or not step.call_id else step.input,
        "call": places.setdefault(step.call_id, len(places)) if step.call_id else None,
        "output": output,
        "error": step.error,
        "effect": step.verdict.get("effect", ""),
        "label": step.label,
    }


def _placed(item: Mapping[str, Any], places: dict[str, int]) -> dict[str, Any]:
    told = {name: value for name, value in item.items() if name not in {"id", "call_id"}}
    if item.get("type") == "call":
        # Each call of an answer is a new one, even where a model gives two of them one id.
        places[item["call_id"]] = len(places)
        told["call"] = places[item["call_id"]]
    return told


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps that stand for the same in two runs, or one that has no counterpart.

    `differs` names what is not the same: kind (or name), state, input, output, decision, label, cost, tokens, duration.
    """

    one: Step | None
    other: Step | None
    differs: tuple[str, ...]

    @property
    def is_apart(self) -> bool:
        """Whether the two runs did something else here, however long it took and whatever it cost."""
        return self.one is None or self.other is None or bool({*self.differs} - {"cost", "tokens", "duration"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A whole run in numbers: money in micro-units of its currency, `seconds` from its start to its end or None."""

    steps: int
    cost: int
    input_tokens: int
    output_tokens: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side. `first_difference` is an index of `pairs`, or None where they did the same."""

    one: Run
    other: Run
    pairs: tuple[Pair, ...]
    first_difference: int | None
    totals: tuple[Totals, Totals]
    hashes: tuple[str, str]

    @property
    def is_same(self) -> bool:
        """Whether both did the same."""
        return self.hashes[0] == self.hashes[1]


def compare(one: Run, other: Run) -> Comparison:
    """Two runs, step by step. Steps are aligned by kind, name and arguments, so that one more does not shift all."""
    ours, theirs = journal_of(one), journal_of(other)
    pairs = tuple(_pairs(effective(ours), effective(theirs)))
    apart = (place for place, pair in enumerate(pairs) if pair.is_apart)
    return Comparison(
        one=one, other=other, pairs=pairs, first_difference=next(apart, None),
        totals=(_totals(one, ours), _totals(other, theirs)),
        hashes=(hash_of(trace(one, ours)), hash_of(trace(other, theirs))),
    )  # fmt: skip


def _pairs(ours: Sequence[Step], theirs: Sequence[Step]) -> Iterable[Pair]:
    told = _told(ours), _told(theirs)
    keys = [[(one["kind"], one["name"], hash_of(one["input"])) for one in side] for side in told]
    for _, start, end, first, last in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        for mine, yours in zip_longest(range(start, end), range(first, last)):
            one = ours[mine] if mine is not None else None
            other = theirs[yours] if yours is not None else None
            differs = _differences(one, other, told[0][mine], told[1][yours]) if one and other else ()
            yield Pair(one, other, differs)


def _told(steps: Sequence[Step]) -> list[dict[str, Any]]:
    places: dict[str, int] = {}
    return [_traced(step, places) for step in steps]


def _differences(one: Step, other: Step, mine: Mapping[str, Any], yours: Mapping[str, Any]) -> tuple[str, ...]:
    found = {
        "kind": mine["kind"] != yours["kind"] or mine["name"] != yours["name"],
        "state": mine["state"] != yours["state"],
        "input": mine["input"] != yours["input"],
        "output": (mine["output"], mine["error"]) != (yours["output"], yours["error"]),
        "decision": mine["effect"] != yours["effect"],
        "label": mine["label"] != yours["label"],
        "cost": one.cost != other.cost,
        "tokens": _tokens(one) != _tokens(other),
        "duration": abs((_seconds(one) or 0) - (_seconds(other) or 0)) >= _NOTICEABLE,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def _tokens(step: Step) -> tuple[int, int]:
    return step.usage.get("input_tokens") or 0, step.usage.get("output_tokens") or 0


def _seconds(row: Run | Step) -> float | None:
    if row.started_at is None or row.ended_at is None:
        return None
    return (row.ended_at - row.started_at).total_seconds()


def _totals(run: Run, steps: Sequence[Step]) -> Totals:
    return Totals(
        steps=len(steps), cost=run.cost, input_tokens=run.input_tokens, output_tokens=run.output_tokens,
        seconds=_seconds(run),
    )  # fmt: skip
