"""Where the value of an argument came from: wholly from the person, from a trusted source, or from somewhere else."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agents.labels import Integrity, Label
from agents.runs.models import Step, StepKind, StepState

_encode = json.JSONEncoder(sort_keys=True).encode
_SOURCES = {StepKind.TOOL_CALL, StepKind.DELEGATION}


def provenance(
    arguments: Mapping[str, Any], question: Any, asked: Label, steps: Iterable[Step], seen: Label,
    kept: dict[int, dict[str, Label]] | None = None,
) -> dict[str, Label]:  # fmt: skip
    """A label for each argument.

    An argument that equals, whole, a value in the output of a trusted source has that source's label; so has one
    that equals a value of the person's own trusted input. Any other was made by the model out of all that it has
    seen, and carries the session's label `seen`. `kept` remembers, by the number of a step, what its output vouches
    for: an outcome never changes.
    """
    known: dict[str, Label] = {}
    kept = {} if kept is None else kept
    for step in steps:
        if step.kind in _SOURCES and step.state == StepState.SUCCEEDED:
            if step.number not in kept:
                kept[step.number] = _vouched(step)
            known |= kept[step.number]
    if asked.integrity is Integrity.TRUSTED:
        known.update(dict.fromkeys(map(_key, values(question)), asked))
    return {name: known.get(_key(value), seen) for name, value in arguments.items()}


def _vouched(step: Step) -> dict[str, Label]:
    label = Label.from_json(step.label)
    if label.integrity is not Integrity.TRUSTED:
        return {}
    return dict.fromkeys(map(_key, values(step.output)), label)


def values(value: Any) -> Iterable[Any]:
    """A JSON value and all that are inside it, but for those that say nothing."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from values(inner)
    if value not in (None, "", [], {}):
        yield value


def _key(value: Any) -> str:
    # 1, true and "1" are three values; an object made of known parts is not itself known.
    return _encode(value)
