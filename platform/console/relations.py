"""The runs around a run: what it came of, what came of it, and what a replay found."""

from dataclasses import dataclass

from agents.runs.models import ENDED, Relation, Run
from agents.runs.traces import compare
from foundation.access.roles import Permission
from foundation.actors import Actor

MOST = 8
CAME_OF = {
    Relation.FORK: "Forked from",
    Relation.REPLAY: "Replay of",
    Relation.HANDOVER: "Handed over from",
}
BECAME = {
    Relation.FORK: "Forked into",
    Relation.REPLAY: "Replayed as",
    Relation.HANDOVER: "Handed over to",
}


@dataclass(frozen=True, slots=True)
class Near:
    """A run near this one: how it is related, and whether the two can be compared."""

    word: str
    run: Run
    is_comparable: bool = False


def around(actor: Actor, run: Run) -> list[Near]:
    """The run above, the former one, those that were made from it, the newest first; only what the actor may see."""
    rows = Run.objects.all().permitted(actor, Permission.RUN_VIEW).select_related("agent", "version")
    near = {one.id: one for one in rows.filter(id__in=[one for one in (run.parent_id, run.former_id) if one])}
    found = []
    if run.parent_id in near:
        found.append(Near("Given by", near[run.parent_id]))
    if run.former_id in near:
        found.append(Near(CAME_OF.get(Relation(run.relation), "Made from"), near[run.former_id], _is_comparable(run)))
    later = rows.filter(former_id=run.id).order_by("-id")[:MOST]
    return found + [Near(BECAME.get(Relation(one.relation), "Made into"), one, _is_comparable(one)) for one in later]


def _is_comparable(later: Run) -> bool:
    return later.relation != Relation.HANDOVER


@dataclass(frozen=True, slots=True)
class Trace:
    """What a replay came to: the same trace, or from which of its steps on it differs (None: input or version)."""

    is_same: bool
    step: int | None


def trace_of(run: Run) -> Trace | None:
    """The finding of a replay that has ended; None for any other run."""
    if run.relation != Relation.REPLAY or run.former is None or run.state not in ENDED:
        return None
    told = compare(run.former, run)
    if told.first_difference is None:
        return Trace(told.is_same, None)
    pair = told.pairs[told.first_difference]
    shown = pair.other or pair.one
    return Trace(told.is_same, shown.number if shown else None)
