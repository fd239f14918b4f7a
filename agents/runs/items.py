"""The items of a session for people: messages, calls, outputs, decisions and summaries, made from runs and steps."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.runs.models import Run, Session, Step, StepKind, StepState
from agents.runs.past import turns_of
from agents.runs.window import CALLS, bound_of, is_compaction

_ASKED = 0  # the step of a run's input
_RUNS, _STEPS = 100, 50  # that are read together


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing in a session. `kind` is message, call, output, decision or summary.

    `name` is the role of a message, else the tool, the agent or the model; `step` 0 is the run's input; `place` counts
    within the step. `tokens` is an upper bound. `state` is the step's.
    """

    kind: str
    run: UUID
    step: int
    place: int
    name: str
    content: Any
    call_id: str = ""
    state: str = StepState.SUCCEEDED.value
    label: dict[str, Any]
    at: datetime

    @property
    def id(self) -> str:
        """Its place in the session: whoever has it can ask for what follows."""
        return f"{self.run}.{self.step}.{self.place}"

    @property
    def is_input(self) -> bool:
        """Whether it is what came into its run."""
        return self.step == _ASKED

    @property
    def tokens(self) -> int:
        """The most tokens that its content can be."""
        return bound_of(self.content)


def items_of(session: Session) -> Iterator[list[Item]]:
    """All items of a session, in order, part by part: of each so many steps, so that no more is in memory at once."""
    for runs, steps in _parts(turns_of(session.pk, light=True)):
        yield list(_of_runs(runs, steps))


def _parts(runs: Sequence[Run]) -> Iterator[tuple[list[Run], range | None]]:
    """Runs that are read together, with all their steps; or one with many, and which of them."""
    part: list[Run] = []
    for run in runs:
        if part and (len(part) == _RUNS or sum(one.steps_written for one in part) + run.steps_written > _STEPS):
            yield part, None
            part = []
        if run.steps_written > _STEPS:
            firsts = range(_ASKED, run.steps_written + 1, _STEPS)
            yield from (([run], range(first, first + _STEPS)) for first in firsts)
        else:
            part.append(run)
    if part:
        yield part, None


def _of_runs(runs: Sequence[Run], wanted: range | None) -> Iterator[Item]:
    found = defaultdict[UUID, list[Item]](list)
    keys = [run.pk for run in runs]
    steps = Step.objects.filter(run_id__in=keys)
    if wanted is not None:
        steps = steps.filter(number__gte=wanted.start, number__lt=wanted.stop)
    for step in steps.order_by("run_id", "number"):
        found[step.run_id] += _of_step(step)
    begins = wanted is None or wanted.start == _ASKED
    asked = Run.objects.only("input", "input_label", "created_at").in_bulk(keys if begins else [])
    for run in runs:
        if run.pk in asked:
            yield _input_of(asked[run.pk])
        yield from found[run.pk]


def items_after(session: Session, after: str, limit: int) -> tuple[list[Item], str]:
    """At most `limit` items after the one with the id `after` (empty: from the first on), and the id to go on from.

    That is empty when there are no more. Raises ValueError for what is no item's id of this session.
    """
    runs = turns_of(session.pk, light=True)
    run, step, place = _read(after) if after else (None, 0, -1)
    if run is not None:
        runs = runs[[one.pk for one in runs].index(run) :]
    found: list[Item] = []
    for one in runs:
        since = (step, place) if one.pk == run else (_ASKED, -1)
        for item in items_of_run(one, since[0]):
            if (item.step, item.place) > since:
                found.append(item)
            if len(found) > limit:
                return found[:limit], found[limit - 1].id
    return found, ""


def _read(after: str) -> tuple[UUID, int, int]:
    run, step, place = after.split(".")
    return UUID(run), int(step), int(place)


def items_of_run(run: Run, since: int = _ASKED) -> Iterator[Item]:
    """The items of one run from a step on; steps are read as they are needed."""
    if since == _ASKED:
        yield _input_of(run)
    for step in Step.objects.filter(run_id=run.pk, number__gte=since).order_by("number").iterator(chunk_size=100):
        yield from _of_step(step)


def _input_of(run: Run) -> Item:
    return Item(kind="message", run=run.pk, step=_ASKED, place=0, name="user", content=run.input,
                label=run.input_label, at=run.created_at)  # fmt: skip


def _of_step(step: Step) -> Sequence[Item]:
    about = {"run": step.run_id, "step": step.number, "state": step.state, "label": step.label,
             "at": step.ended_at or step.started_at}  # fmt: skip
    if step.kind == StepKind.DECISION_WAIT:
        asked = {"arguments": step.input, "reasons": step.verdict.get("reasons", []), "answer": step.error}
        return [Item(kind="decision", place=0, name=step.name, content=asked, call_id=step.call_id, **about)]
    if step.kind in CALLS:
        content = step.output if step.state == StepState.SUCCEEDED else {step.state: step.error or step.output}
        return [Item(kind="output", place=0, name=step.name, content=content, call_id=step.call_id, **about)]
    if step.state != StepState.SUCCEEDED:
        return []
    said = (step.output or {}).get("items", [])
    if is_compaction(step):
        text = "\n".join(item["text"] for item in said if item["type"] == "message")
        return [Item(kind="summary", place=0, name=step.name, content=text, **about)]
    return [_said(place, item, about) for place, item in enumerate(said)]


def _said(place: int, item: dict[str, Any], about: dict[str, Any]) -> Item:
    if item["type"] == "call":
        return Item(kind="call", place=place, name=item["name"], content=item["arguments"], call_id=item["call_id"],
                    **about)  # fmt: skip
    return Item(kind="message", place=place, name="assistant", content=item["text"], **about)
