"""The doorbell: ids in, this process's runner does the work. A lost message is not missed, the tick rings again."""

import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import connections
from kombu.exceptions import OperationalError

from agents.runs.checks import refuse_wrong_timings
from agents.runs.claims import due
from agents.runs.journal import engine_transaction
from agents.runs.leases import keeper
from agents.runs.runner import runner, stop_runner

log = structlog.get_logger(__name__)

_PATIENCE = 10.0  # seconds before a run that nobody took is rung again
_BATCH = 500
_MOST_BELLS = 32  # for all that becomes ready at once: what workers have no room for takes nobody's time


@shared_task(name="agents.runs.tasks.advance_run")
def advance_run(*runs: str) -> None:
    """These runs may be ready. No bell waits for a free slot, nor goes round until one is there: ticks come behind it.

    A worker without room looks as soon as it has some; the others look by themselves, every second.
    """
    runner(_wake).ring(UUID(run) for run in runs)


@shared_task(name="agents.runs.tasks.tick")
def tick() -> None:
    """Say that the scheduler lives and a worker answers, and ring for whatever is due."""
    runner(_wake)
    try:
        with engine_transaction() as cursor:
            cursor.execute(
                "INSERT INTO runs_heartbeat (name, kind, seen_at) VALUES ('scheduler', 'scheduler', clock_timestamp()) "
                "ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
            )
            cursor.execute("DELETE FROM runs_heartbeat WHERE seen_at < clock_timestamp() - interval '1 hour'")
        ring(*due(_PATIENCE, _BATCH))
    finally:
        connections.close_all()


def ring(*runs: UUID) -> None:
    """Ask for a worker. If the broker is away, the tick will ring once it is back.

    A bell for each, so that each finds a worker with room; but of many, several share one.
    """
    bells = min(len(runs), _MOST_BELLS)
    for one in range(bells):
        if not _deliver([str(run) for run in runs[one::bells]]):
            return


@worker_init.connect
def look_at_timings(**_: Any) -> None:
    """A worker whose timings do not fit does not begin."""
    refuse_wrong_timings()


@worker_ready.connect
def begin(**_: Any) -> None:
    """A worker looks for runs as soon as it can take them, bell or no bell."""
    runner(_wake).ring(())


@worker_shutting_down.connect
def drain(how: str = "", **_: Any) -> None:
    """A worker that is asked to end lets go of its runs while Celery winds up; at once if it is told to."""
    patience = 0.0 if how == "Cold" else settings.RUN_DRAIN_SECONDS
    # In a thread: this is called from within the handling of a signal.
    threading.Thread(target=stop_runner, args=(patience,), name="drain").start()


@worker_shutdown.connect
def drain_anyway(**_: Any) -> None:
    """A worker that ends for whatever other reason (SIGHUP, a fault of Celery's own) lets go of its runs as well."""
    stop_runner(settings.RUN_DRAIN_SECONDS)


def _wake(runs: Iterable[UUID]) -> None:
    # While Celery winds up, each bell would wait for a broker that is about to go.
    if not keeper.is_draining:
        ring(*runs)


def _deliver(runs: Iterable[str]) -> bool:
    try:
        advance_run.delay(*runs)
    except (OperationalError, OSError) as error:
        log.warning("bell not rung", runs=list(runs), error=type(error).__name__)
        return False
    return True
