"""A session as people read it: turn by turn, what came in, what was said, called, decided, and answered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.runs.bodies import Reading, read_turns
from agents.runs.models import Run, Session, Step, StepKind, StepState, Summary
from agents.runs.shown import shortened, state_of
from agents.runs.window import is_compaction
from foundation.actors import Actor

TURNS = 10  # runs on one page
MOST_STEPS = 400


@dataclass(frozen=True, slots=True)
class Said:
    """One item. `kind` is message, call, delegation, wait or summary; `step` its number in the run.

    `text`, `given`, `gave` and `problem` may be withheld from whoever looks.
    """

    kind: str
    step: int
    name: str = ""
    text: Any = ""
    given: Any = None
    gave: Any = None
    state: str = ""
    problem: Any = ""
    child: UUID | None = None
    is_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of the session, and what came in; `earlier` is how many of its steps are too many to be shown."""

    run: Run
    came_in: Any
    said: Sequence[Said]
    earlier: int


def turns_of(actor: Actor, session: Session, before: UUID | None = None) -> tuple[list[Turn], UUID | None]:
    """The newest turns (before one), oldest first, and the id to look before for older ones; so many queries always.

    Each is as this actor may read it.
    """
    rows = Run.objects.filter(session=session).select_related("requester", "agent")
    if before is not None:
        rows = rows.filter(id__lt=before)
    runs = list(rows.order_by("-id")[: TURNS + 1])
    older = runs[TURNS - 1].id if len(runs) > TURNS else None
    shown = runs[TURNS - 1 :: -1] if older else runs[::-1]
    steps: dict[UUID, list[Step]] = {}
    for step in Step.objects.filter(run_id__in=[run.id for run in shown]).order_by("-run_id", "-number")[:MOST_STEPS]:
        steps.setdefault(step.run_id, []).insert(0, step)
    summaries: dict[UUID, list[Summary]] = {}
    for summary in Summary.objects.filter(session=session, run_id__in=[run.id for run in shown]).order_by("id"):
        summaries.setdefault(summary.run_id, []).append(summary)
    readings = read_turns(actor, session, [run.id for run in shown])
    turns = []
    for run in shown:
        reading = readings[run.id]
        here = steps.get(run.id, [])
        said = _said(run, reading, here, summaries.get(run.id, []))
        turns.append(Turn(run, reading.input(run.input), list(said), max(run.steps_written - len(here), 0)))
    return turns, older


def _said(run: Run, reading: Reading, steps: Sequence[Step], summaries: Sequence[Summary]) -> Iterator[Said]:
    yield from (_summary(reading, one) for one in summaries if one.number == 0)
    for step in steps:
        if step.kind == StepKind.MODEL_CALL:
            yield from _messages(run, reading, step)
        else:
            yield _call(reading, step)
        yield from (_summary(reading, one) for one in summaries if one.number == step.number)


def _messages(run: Run, reading: Reading, step: Step) -> Iterator[Said]:
    if step.state in {StepState.FAILED, StepState.REFUSED, StepState.WAITING}:
        yield Said("wait", step.number, step.name, state=state_of(step), problem=step.error)
    if is_compaction(step):
        return  # the summary that it made stands where it counts
    for item in (step.output or {}).get("items", []):
        if item.get("type") == "message" and item.get("text"):
            words = str(item["text"])
            shown = words if reading.is_answer(run, step) else reading.payload(words)
            yield Said("message", step.number, text=shortened(shown), is_untrusted=_is_untrusted(step.label))


def _call(reading: Reading, step: Step) -> Said:
    kind = "delegation" if step.kind == StepKind.DELEGATION else "call"
    kind = "wait" if step.kind == StepKind.DECISION_WAIT else kind
    return Said(
        kind,
        step.number,
        step.name,
        given=shortened(reading.payload(step.input)),
        gave=None if step.output is None else shortened(reading.payload(step.output)),
        state=state_of(step),
        problem=reading.error(step),
        child=step.child_id,
        is_untrusted=_is_untrusted(step.label),
    )


def _summary(reading: Reading, summary: Summary) -> Said:
    return Said(
        "summary", summary.number, text=reading.payload(summary.text), is_untrusted=_is_untrusted(summary.label)
    )


def _is_untrusted(label: Any) -> bool:
    return bool(label) and label.get("integrity") != "trusted"
