"""What a tick does with each schedule: one transaction that holds its row, its firings and the runs that they start.

Whatever kills the scheduler, at whatever instant, nothing of it has happened or all of it has: no moment is lost, none
runs twice. A row that another scheduler holds is passed over.
"""

import time
from datetime import datetime
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, connections, transaction

from agents.runs.models import ENDED, Run
from agents.runs.services import cancel_run, start_run
from agents.schedules.choices import MOST, chosen
from agents.schedules.models import Firing, FiringState, Overlap, Schedule
from agents.schedules.moments import newest, upcoming
from agents.schedules.owners import acting
from foundation.access.roles import Permission
from foundation.actors import Actor, system_actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.instants import database_now
from foundation.tenancy.context import tenant

log = structlog.get_logger(__name__)

_PATIENCE = 10.0  # seconds of one tick; the next one goes on

_READY = """
SELECT id, organisation_id, next_at AS since FROM schedules_schedule WHERE enabled AND next_at <= clock_timestamp()
UNION
SELECT f.schedule_id, f.organisation_id, min(f.due_at) FROM schedules_firing f
WHERE f.state = 'queued' AND NOT EXISTS (
    SELECT FROM schedules_firing g JOIN runs_run r ON r.id = g.run_id
    WHERE g.schedule_id = f.schedule_id AND r.state IN ('queued', 'running', 'waiting'))
GROUP BY f.schedule_id, f.organisation_id
ORDER BY since, id
"""


def fire_all() -> None:
    """Carry out all that is due in all organisations; what fails in one schedule stops no other."""
    until = time.monotonic() + _PATIENCE
    for schedule, organisation in ready():
        if time.monotonic() > until:
            return
        fire(schedule, organisation)


def ready() -> list[tuple[UUID, UUID]]:
    """The schedules, with their organisations, that have a moment due or a firing that need not wait any more."""
    with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
        cursor.execute(_READY)
        return list(dict.fromkeys((row[0], row[1]) for row in cursor.fetchall()))


def fire(schedule: UUID, organisation: UUID) -> None:
    """Carry out what is due of one schedule, unless somebody else does."""
    try:
        with tenant(organisation):
            if found := _held(schedule):
                _carry_out(found)
    except (OperationalError, InterfaceError) as error:
        # The database was away or chose us as a victim: the moment is still there at the next tick.
        log.warning("schedule not carried out", schedule=str(schedule), error=type(error).__name__)
        connection.close()
    except Exception as error:
        # One spoilt schedule must not stop the others.
        log.exception("schedule is spoilt", schedule=str(schedule))
        _spoil(schedule, organisation, error)


def _held(schedule: UUID) -> Schedule | None:
    rows = Schedule.objects.select_related("agent__serving__language_model__provider", "owner")
    return rows.select_for_update(of=("self",), skip_locked=True).filter(pk=schedule, enabled=True).first()


def _carry_out(schedule: Schedule) -> None:
    now = database_now()
    _start_queued(schedule)
    if schedule.next_at is None or schedule.next_at > now:
        return
    due = newest(schedule, schedule.next_at, now, MOST)
    for moment, left_out in chosen(schedule.catch_up, due, schedule.next_at, now):
        firing = Firing(organisation_id=schedule.organisation_id, schedule=schedule, due_at=moment)
        if left_out:
            firing.state, firing.reason = FiringState.SKIPPED, left_out
        else:
            _decide(schedule, firing)
        firing.save(force_insert=True)
    schedule.next_at = next(iter(upcoming(schedule, now, 1)), None)
    schedule.save(update_fields=["next_at", "problem"])


def _decide(schedule: Schedule, firing: Firing) -> None:
    live = _live_runs(schedule) if schedule.overlap != Overlap.ALLOW else []
    queued = Firing.objects.filter(schedule=schedule, state=FiringState.QUEUED).count()
    match schedule.overlap:
        case Overlap.SKIP if live:
            firing.state, firing.reason = FiringState.SKIPPED, "The former run had not ended."
        case Overlap.QUEUE if queued >= MOST:
            firing.state, firing.reason = FiringState.SKIPPED, f"There were {MOST} in the queue already."
        case Overlap.QUEUE if live or queued:
            firing.state = FiringState.QUEUED
        case Overlap.REPLACE:
            _start(schedule, firing, replaced=live)
        case _:
            _start(schedule, firing)


def _start(schedule: Schedule, firing: Firing, replaced: list[Run] | None = None) -> None:
    """Start the firing's run, in the place of those `replaced`, or say why there is none."""
    try:
        with transaction.atomic():
            needed = (Permission.RUN_START, Permission.RUN_CONTROL) if replaced else (Permission.RUN_START,)
            actor = acting(schedule.owner, schedule.agent, *needed)
            for run in replaced or []:
                _cancel(actor, run)
            firing.run = start_run(
                actor=actor, agent=schedule.agent, title=schedule.name, input=schedule.input, source="schedule",
                submission=f"schedule:{schedule.id}:{firing.due_at.isoformat()}",
            )  # fmt: skip
    except (InvalidError, ConflictError) as error:
        firing.run, firing.state, firing.reason = None, FiringState.FAILED, error.message
        _tell(schedule, error.message)
    else:
        firing.state, firing.reason, schedule.problem = FiringState.STARTED, "", ""


def _start_queued(schedule: Schedule) -> None:
    """Start the oldest that waits, if no run of the schedule is left; one that fails lets the next one in."""
    for firing in Firing.objects.filter(schedule=schedule, state=FiringState.QUEUED).order_by("due_at"):
        if _live_runs(schedule):
            return
        _start(schedule, firing)
        firing.save(update_fields=["state", "reason", "run"])
        schedule.save(update_fields=["problem"])


def _live_runs(schedule: Schedule) -> list[Run]:
    started = Firing.objects.filter(schedule=schedule).exclude(run=None).values("run_id")
    return list(Run.objects.filter(pk__in=started).exclude(state__in=ENDED).order_by("id"))


def _cancel(actor: Actor, run: Run) -> None:
    if run.cancel_requested:
        return
    try:
        cancel_run(actor=actor, run=run, reason="The next moment of its schedule has come.")
    except ConflictError:
        """It has ended meanwhile."""


def _tell(schedule: Schedule, problem: str) -> None:
    if schedule.problem == problem:
        return  # once is enough: each firing holds it too
    schedule.problem = problem
    actor = system_actor("schedules", schedule.organisation_id)
    record(entry(actor, "schedule.fail", target_kind="schedule", target_id=schedule.id, target_name=schedule.name,
                 outcome="failed", reason=problem))  # fmt: skip


def _spoil(schedule: UUID, organisation: UUID, error: Exception) -> None:
    """What nobody foresaw: what was due has failed, and it goes on with the next moment, if it has one."""
    said = error.message if isinstance(error, InvalidError) else f"Remit failed ({type(error).__name__}): see the log."
    try:
        with tenant(organisation):
            found = _held(schedule)
            if found is None:
                return
            failed = {"state": FiringState.FAILED, "reason": said}
            Firing.objects.filter(schedule=found, state=FiringState.QUEUED).update(**failed)
            if found.next_at is not None and found.next_at <= database_now():
                Firing.objects.get_or_create(
                    organisation_id=organisation, schedule=found, due_at=found.next_at, defaults=failed
                )
                found.next_at = _next_of(found)
            _tell(found, said)
            found.save(update_fields=["next_at", "problem"])
    except Exception:
        log.exception("spoilt schedule not marked", schedule=str(schedule))
        connection.close()


def _next_of(schedule: Schedule) -> datetime | None:
    try:
        return next(iter(upcoming(schedule, database_now(), 1)), None)
    except Exception:  # noqa: BLE001 - it is the moments themselves that are spoilt: a person must change the schedule
        return None
