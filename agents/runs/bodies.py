"""Who reads what was said and done in runs: bodies are for auditors, and each reading of theirs is recorded.

Bodies are a run's input and output, the input, the output and a tool's own error of its steps, what a session keeps,
what people and programs answered it. Whoever holds `audit.read_bodies` on the run's agent reads all of them. Whoever
started a run reads its input and its answer, as far as they are their own (`agents.runs.ownership`). Everything else is
metadata.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.runs.event_kinds import EVENT_FACTS
from agents.runs.journal import is_tools_word
from agents.runs.models import Run, RunState, Session, Step, StepKind
from agents.runs.ownership import owned
from agents.runs.past import line_of
from foundation.access.guards import RefusedError
from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.access.withheld import withheld
from foundation.actors import Actor, ActorKind
from foundation.audit.models import AuditEntry
from foundation.audit.record import entry, record
from foundation.instants import database_now

ONCE_IN = timedelta(hours=1)
_READ = Permission.AUDIT_READ_BODIES
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Reading:
    """What somebody reads of one run. `holds_other`: also the permission that was asked for besides."""

    is_auditor: bool = False
    is_own_input: bool = False
    is_own_answer: bool = False
    holds_other: bool = False

    def input(self, value: Any) -> Any:
        """What came in, or what stands in its place."""
        return value if self.is_auditor or self.is_own_input else withheld(value)

    def answer(self, value: Any) -> Any:
        """The run's output."""
        return value if self.is_auditor or self.is_own_answer else withheld(value)

    def payload(self, value: Any) -> Any:
        """Any other body."""
        return value if self.is_auditor else withheld(value)

    def asked(self, value: Any) -> Any:
        """What somebody is asked, who holds the other permission."""
        return value if self.is_auditor or self.holds_other else withheld(value)

    def error(self, step: Step) -> Any:
        """Why a step went wrong: what the tool says itself is a body, a refusal is none."""
        return self.payload(step.error) if is_tools_word(step.kind, step.state) else step.error

    def event(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What is streamed: facts, and whatever else only for auditors."""
        return {name: value if name in EVENT_FACTS else self.payload(value) for name, value in data.items()}

    def is_answer(self, run: Run, step: Step) -> bool:
        """Whether a step's words are the run's answer, and this reader has started the run."""
        ended = run.state == RunState.SUCCEEDED and step.number == run.steps_written
        return self.is_own_answer and ended and step.kind == StepKind.MODEL_CALL


def readings_of(actor: Actor, runs: Collection[UUID], other: Permission | None = None) -> dict[UUID, Reading]:
    """What an actor reads of each of these runs, without a word in the record; `other` as in Reading."""
    audited = _holding(actor, _READ, runs)
    also = _holding(actor, other, runs) if other else frozenset()
    known = owned(actor.principal, runs) if actor.principal else {}
    return {
        run: Reading(run in audited, *known.get(run, (False, False)), holds_other=run in also) for run in runs
    }  # fmt: skip


def read_runs(actor: Actor, runs: Collection[UUID], other: Permission | None = None) -> dict[UUID, Reading]:
    """The same for whoever is about to be shown them: what is read as an auditor is recorded."""
    found = readings_of(actor, runs, other)
    note_reading(actor=actor, kind="run", things=[run for run, one in found.items() if _is_noted(actor, one)])
    return found


def read_run(actor: Actor, run: Run, other: Permission | None = None) -> Reading:
    """What an actor reads of one run; recorded as in `read_runs`."""
    return read_runs(actor, [run.pk], other)[run.pk]


def read_session(actor: Actor, session: Session) -> Reading:
    """What an actor reads of all that a session keeps, whichever of its agents has put it there; recorded."""
    reading = Reading(is_auditor=_READ in permissions_on(actor, session.target_id) and _reads_turns(actor, session))
    if reading.is_auditor:
        note_reading(actor=actor, kind="session", things=[session.pk])
    return reading


def read_turns(actor: Actor, session: Session, runs: Collection[UUID]) -> dict[UUID, Reading]:
    """What an actor reads of runs of a session; recorded as one reading of the session."""
    found = readings_of(actor, runs)
    if any(_is_noted(actor, reading) for reading in found.values()):
        note_reading(actor=actor, kind="session", things=[session.pk])
    return found


def require_turns(actor: Actor, session: Session) -> None:
    """Refuse whoever may not read every turn of a session: other agents may have had it before. Raises RefusedError."""
    if not _reads_turns(actor, session):
        raise RefusedError(_READ, session.target_id)


@transaction.atomic
def note_reading(*, actor: Actor, kind: str, things: Iterable[UUID]) -> None:
    """Record that the bodies of runs or sessions were read: once for each reader and thing in an hour."""
    wanted = set(things)
    if not wanted or actor.kind is ActorKind.SYSTEM or not (left := wanted - _noted(actor, kind, wanted)):
        return
    with connection.cursor() as cursor:
        # Two pages that the same reader opens at once are one reading.
        cursor.execute(_LOCK, [f"read_bodies {actor.principal}"])
    left -= _noted(actor, kind, left)
    names = _names(kind, left)
    record(
        *(
            entry(actor, f"{kind}.read_bodies", target_kind=kind, target_id=one, target_name=names.get(one, ""),
                  run=one if kind == "run" else None)
            for one in sorted(left)
        )
    )  # fmt: skip


def _reads_turns(actor: Actor, session: Session) -> bool:
    # A copy of a session has the memory and the files of the one that it was made from.
    turns = [run.pk for run in line_of(session.pk)]
    return all(reading.is_auditor for reading in readings_of(actor, turns).values())


def _is_noted(actor: Actor, reading: Reading) -> bool:
    # Whoever makes a service's key is the service: what it reads of its own is in the record too.
    return reading.is_auditor or (actor.kind is ActorKind.SERVICE and reading.is_own_answer)


def _noted(actor: Actor, kind: str, things: Collection[UUID]) -> set[UUID | None]:
    lately = AuditEntry.objects.in_organisation(actor.organisation).matching(
        actor=actor.principal, action=f"{kind}.read_bodies", since=database_now() - ONCE_IN
    )
    return set(lately.filter(target_id__in=things).values_list("target_id", flat=True))


def _names(kind: str, things: Collection[UUID]) -> dict[UUID, str]:
    if kind == "run":
        return dict(Run.objects.filter(pk__in=things).values_list("pk", "title"))
    rows = Session.objects.filter(pk__in=things).values_list("pk", "title", "counterpart")
    return {one: title or counterpart for one, title, counterpart in rows}


def _holding(actor: Actor, permission: Permission, runs: Collection[UUID]) -> frozenset[UUID]:
    held = Run.objects.filter(pk__in=runs).permitted(actor, permission)
    return frozenset(held.values_list("pk", flat=True))
