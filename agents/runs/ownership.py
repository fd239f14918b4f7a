"""What of a run is its requester's own to read: its input and its answer, unless others' words may be in them.

An answer is made of all that its session holds. So it is nobody's own behind a turn of somebody else, one that an agent
gave, or one that a stranger sent; nor is what was made from such a run, or from a run of somebody else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import takewhile
from uuid import UUID

from agents.runs.models import Relation, Run

TRIGGERED = "trigger"  # the source of runs that somebody outside has started, by what they sent
_LINE = (
    "pk", "requester_id", "former_id", "parent_id", "relation", "source", "session_id", "organisation_id", "created_at",
)  # fmt: skip
_APART = (Relation.FORK, Relation.REPLAY)


def owned(person: UUID, runs: Iterable[UUID]) -> dict[UUID, tuple[bool, bool]]:
    """Of those of the runs that a person has started, whether the input and the answer are their own.

    So many queries always, but for runs that were made from others.
    """
    mine = list(Run.objects.filter(pk__in=runs, requester_id=person, parent=None).only(*_LINE))
    turns = _turns({run.session_id for run in mine}) if mine else {}
    return {run.pk: _own(run, turns) for run in mine}


def _turns(sessions: Iterable[UUID]) -> dict[UUID, list[Run]]:
    found: defaultdict[UUID, list[Run]] = defaultdict(list)
    for run in Run.objects.filter(session_id__in=sessions).only(*_LINE).order_by("created_at", "id"):
        found[run.session_id].append(run)
    return found


def _own(run: Run, turns: Mapping[UUID, list[Run]]) -> tuple[bool, bool]:
    line, input_is_own = [run], run.relation != Relation.HANDOVER
    while line[-1].former_id is not None:
        line.append(Run.objects.only(*_LINE).get(pk=line[-1].former_id))
        # What an agent that handed over wrote to the next one is no person's own, in copies neither.
        input_is_own &= line[-1].relation != Relation.HANDOVER
    if not all(_is_of(one, run.requester_id) for one in line):
        return False, False
    return input_is_own, not any(_follows_others(one, turns) for one in line)


def _is_of(run: Run, person: UUID | None) -> bool:
    return run.requester_id == person and run.parent_id is None and run.source != TRIGGERED


def _follows_others(run: Run, turns: Mapping[UUID, list[Run]]) -> bool:
    every = turns[run.session_id] if run.session_id in turns else _turns([run.session_id])[run.session_id]
    before = list(takewhile(lambda one: one.pk != run.pk, every))
    if not all(_is_of(one, run.requester_id) for one in before):
        return True
    # What a copy began with stands before its later turns too.
    return bool(before) and before[0].relation in _APART and not _own(before[0], turns)[1]
