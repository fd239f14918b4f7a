"""What a session holds before a run: the exchanges of its former runs, and the summary in the place of the oldest."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from agents.labels import Label, join
from agents.runs.models import Relation, Run, Step, StepKind, StepState, Summary
from agents.runs.window import Place, Unit, exchange, is_compaction, scale_of

_MOST_TURNS = 500  # runs without a summary between them; older ones are left out
_APART = (Relation.FORK, Relation.REPLAY)


@dataclass(frozen=True, slots=True)
class Past:
    """`units` from the oldest on; `summary` stands for all up to `summed_up`, and nothing up to `left_out` is shown.

    `label` is the join of all. `scale` is by what the model `counted_by` has reported last.
    """

    units: list[Unit] = field(default_factory=list)
    summary: Summary | None = None
    summed_up: Place | None = None
    left_out: Place | None = None
    scale: float = 1.0
    counted_by: str = ""
    label: Label = field(default_factory=lambda: join([]))


def turns_of(session: UUID, using: str = "default", *, light: bool = False) -> list[Run]:
    """The runs of a session, in order, each a turn of it; forks, replays and delegated runs have sessions of their own.

    `light`: their inputs and outputs are read when they are asked for.
    """
    rows = Run.objects.using(using).filter(session_id=session).order_by("created_at", "id")
    return list(rows.defer("input", "output") if light else rows)


def line_of(session: UUID) -> list[Run]:
    """The turns of a session; and behind a copy of another one, what that had up to the run that was copied."""
    turns = turns_of(session, light=True)
    first = turns[0] if turns else None
    if first is None or first.former_id is None or first.relation not in _APART:
        return turns
    former = Run.objects.only("session_id", "created_at").get(pk=first.former_id)
    return [*(one for one in line_of(former.session_id) if one.created_at <= former.created_at), *turns]


def past_of(run: Run, own: Iterable[Step] = (), using: str = "default") -> Past:
    """What is before a run; `own` are its steps so far.

    A fork or a replay has behind it what the run had that it was made from, and sums it up by itself.
    """
    line = _line(run, using)
    former = _before(line[-1], using)[-_MOST_TURNS:]
    summary = _summary(line, former, own, using)
    start = next((at for at, one in enumerate(former) if summary and one.id == summary.run_id), None)
    if start is None:
        start = len(former) if summary else 0
    steps = _steps([one.id for one in former[start:] or former[-1:]], using)
    inputs = dict(Run.objects.using(using).filter(pk__in=[one.id for one in former[start:]]).values_list("pk", "input"))
    last = measured(steps[former[-1].id]) if former else None
    left_out = place_of(last.input.get("dropped")) if last else None
    cut = _cut(summary, left_out, steps)
    units: list[Unit] = []
    labels: list[Label] = []
    for one in former[start:]:
        asked, made = (one.id, inputs[one.id], one.input_label), steps[one.id]
        whole = exchange(*asked, made, one.state)
        labels += [Label.from_json(label) for unit in whole for label in unit.labels]
        left = [step for step in made if step.number > cut.get(one.id, 0)]
        units += whole if len(left) == len(made) else exchange(*asked, left, one.state)
    place = None
    if summary is not None:
        labels.append(Label.from_json(summary.label))
        place = Place(run.id if summary.run_id in {one.id for one in line} else summary.run_id, summary.number)
    return Past(
        units, summary, place, left_out,
        scale_of(last.input.get("counted", 0), last.usage.get("input_tokens")) if last else 1.0,
        last.name if last else "", join(labels),
    )  # fmt: skip


def _cut(summary: Summary | None, left_out: Place | None, steps: Mapping[UUID, list[Step]]) -> dict[UUID, int]:
    """Up to which step runs summed up, or left out, rounds of their own: never their input, which stands before these.

    It is not in the summary either. So it is shown once more, in front of the rounds that are left.
    """
    places = [left_out] if left_out is not None else []
    if summary is not None and any(_made(step) == str(summary.id) for step in steps.get(summary.run_id, [])):
        places.append(Place(summary.run_id, summary.number))
    found: dict[UUID, int] = {}
    for place in places:
        found[place.run] = max(place.number, found.get(place.run, 0))
    return found


def _made(step: Step) -> str:
    """The summary that a step made; empty if it made none."""
    return str((step.output or {}).get("summary", "")) if is_compaction(step) else ""


def _line(run: Run, using: str) -> list[Run]:
    """A run and those that it was made from, to the one that stands in the session by itself."""
    line = [run]
    while line[-1].relation in _APART and line[-1].former_id is not None:
        line.append(Run.objects.using(using).get(pk=line[-1].former_id))
    return line


def _before(run: Run, using: str) -> list[Run]:
    every = turns_of(run.session_id, using, light=True)
    turns = [one for one in every if one.created_at < run.created_at and one.id != run.id]
    if turns and turns[0].relation in _APART:
        # The session began as a copy of another one.
        return _before(_line(turns[0], using)[-1], using) + turns
    return turns


def measured(steps: Iterable[Step]) -> Step | None:
    """The last call in which the model was asked what to do next, and answered."""
    last = None
    for step in steps:
        if step.kind == StepKind.MODEL_CALL and step.state == StepState.SUCCEEDED and not is_compaction(step):
            last = step
    return last


def place_of(written: object) -> Place | None:
    """A place as a step's input holds it."""
    if not isinstance(written, dict):
        return None
    return Place(UUID(written["run"]), int(written["step"]))


def _summary(line: list[Run], former: list[Run], own: Iterable[Step], using: str) -> Summary | None:
    """The newest one that the run made itself, or that was there before it began."""
    made = [summary for step in own if (summary := _made(step))]
    for one in reversed(made):
        # A journal may name one that is not there: then the session is as if it had not been summed up there.
        if (found := Summary.objects.using(using).filter(pk=one).first()) is not None:
            return found
    anchor = line[-1]
    rows = Summary.objects.using(using).filter(
        session_id__in={anchor.session_id, *(one.session_id for one in former)}, created_at__lt=anchor.created_at
    )
    return rows.filter(run_id__in=[anchor.id, *(one.id for one in former)]).order_by("created_at", "id").last()


def _steps(runs: list[UUID], using: str) -> defaultdict[UUID, list[Step]]:
    found: defaultdict[UUID, list[Step]] = defaultdict(list)
    for step in Step.objects.using(using).filter(run_id__in=runs).order_by("run_id", "number"):
        found[step.run_id].append(step)
    return found
