"""What a session holds before a run: the exchanges of its former runs, and the summary in the place of the oldest."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from agents.labels import Label, join
from agents.runs.models import Relation, Run, Step, StepKind, StepState, Summary
from agents.runs.window import Place, Unit, exchange, is_compaction, scale_of

_MOST_TURNS = 500  # runs without a summary between them; older ones are left out
_APART = (Relation.FORK, Relation.REPLAY)


@dataclass(frozen=True, slots=True)
class Past:
    """`units` from the oldest on, after `left_out`; `summary` stands for what is before. `label` is the join of all."""

    units: list[Unit] = field(default_factory=list)
    summary: Summary | None = None
    left_out: Place | None = None
    scale: float = 1.0
    label: Label = field(default_factory=lambda: join([]))


def turns_of(session: UUID, using: str = "default") -> list[Run]:
    """The runs that are the turns of a session, in order: no delegated ones, no replays, none that a fork replaced."""
    rows = Run.objects.using(using).filter(session_id=session).filter(Q(parent=None) | Q(relation=Relation.HANDOVER))
    runs = list(rows.exclude(relation=Relation.REPLAY).order_by("created_at", "id"))
    replaced = {run.former_id for run in runs if run.relation == Relation.FORK}
    return [run for run in runs if run.id not in replaced]


def past_of(run: Run, using: str = "default") -> Past:
    """What is before a run. A fork or a replay has behind it what the run had that it was made from."""
    anchor = run
    while anchor.relation in _APART and anchor.former_id is not None:
        anchor = Run.objects.using(using).get(pk=anchor.former_id)
    former = [one for one in turns_of(anchor.session_id, using) if one.created_at < anchor.created_at]
    former = [one for one in former if one.id not in {run.id, anchor.id}][-_MOST_TURNS:]
    summary = _summary(anchor, run, former, using)
    start = _start(summary, former)
    steps = _steps([one.id for one in former[start:]], using)
    units: list[Unit] = []
    for one in former[start:]:
        units += exchange(one.id, one.input, one.input_label, steps[one.id], one.state)
    labels = [Label.from_json(label) for unit in units for label in unit.labels]
    if summary is not None:
        labels.append(Label.from_json(summary.label))
    last = measured(steps[former[-1].id]) if former else None
    return Past(
        units, summary, place_of(last.input.get("dropped")) if last else None,
        scale_of(last.input.get("counted", 0), last.usage.get("input_tokens")) if last else 1.0, join(labels),
    )  # fmt: skip


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


def _summary(anchor: Run, run: Run, former: list[Run], using: str) -> Summary | None:
    """The newest that was made of nothing later than what is before the run; its own ones count too."""
    allowed = [one.id for one in former]
    rows = Summary.objects.using(using).filter(session_id__in={anchor.session_id, run.session_id})
    own = Q(run_id=run.id) | Q(run_id=anchor.id, number=0)
    return rows.filter(Q(run_id__in=allowed) | own).order_by("created_at", "id").last()


def _start(summary: Summary | None, former: list[Run]) -> int:
    if summary is None:
        return 0
    return next((at for at, one in enumerate(former) if one.id == summary.run_id), len(former))


def _steps(runs: list[UUID], using: str) -> defaultdict[UUID, list[Step]]:
    found: defaultdict[UUID, list[Step]] = defaultdict(list)
    for step in Step.objects.using(using).filter(run_id__in=runs).order_by("run_id", "number"):
        found[step.run_id].append(step)
    return found
