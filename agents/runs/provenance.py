"""Where the value of an argument came from: wholly from the person, from a trusted source, or from somewhere else."""

from collections.abc import Iterable, Mapping
from typing import Any

from agents.labels import Integrity, Label
from agents.runs.models import Step, StepKind, StepState

_SOURCES = {StepKind.TOOL_CALL, StepKind.DELEGATION}


def provenance(
    arguments: Mapping[str, Any], question: Any, asked: Label, steps: Iterable[Step], seen: Label
) -> dict[str, Label]:
    """A label for each argument.

    An argument that equals, whole, a value in the output of a trusted source has that source's label; so has one
    that equals a value of the person's own trusted input. Any other was made by the model out of all that it has
    seen, and carries the session's label `seen`.
    """
    known: dict[str, Label] = {}
    for step in steps:
        if step.kind in _SOURCES and step.state == StepState.SUCCEEDED:
            label = Label.from_json(step.label)
            if label.integrity is Integrity.TRUSTED:
                known.update(dict.fromkeys(map(_key, leaves(step.output)), label))
    if asked.integrity is Integrity.TRUSTED:
        known.update(dict.fromkeys(map(_key, leaves(question)), asked))
    return {name: _label(value, known, seen) for name, value in arguments.items()}


def leaves(value: Any) -> Iterable[Any]:
    """The scalars inside a JSON value."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield value


def _key(value: Any) -> str:
    # 1, true and "1" are three values.
    return f"{type(value).__name__}:{value}"


def _label(value: Any, known: Mapping[str, Label], seen: Label) -> Label:
    found = [known.get(_key(leaf)) for leaf in leaves(value)]
    labels = [label for label in found if label is not None]
    return labels[0].join(*labels[1:]) if found and len(labels) == len(found) else seen
