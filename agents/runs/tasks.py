"""The doorbell: ids in, the engine does the work. A lost message is not missed, the tick rings again."""

from uuid import UUID

import structlog
from celery import shared_task
from django.db import connections
from kombu.exceptions import OperationalError

from agents.runs.claims import due
from agents.runs.engine import advance
from agents.runs.journal import engine_transaction
from agents.runs.leases import keeper

log = structlog.get_logger(__name__)

_PATIENCE = 10.0  # seconds before a run that nobody took is rung again
_BATCH = 500


@shared_task(name="agents.runs.tasks.advance_run")
def advance_run(run: str) -> None:
    """Advance one run, then ring for those that it woke."""
    try:
        ring(*advance(UUID(run)))
    finally:
        connections.close_all()


@shared_task(name="agents.runs.tasks.tick")
def tick() -> None:
    """Say that the scheduler lives and a worker answers, and ring for whatever is due."""
    keeper.start()
    with engine_transaction() as cursor:
        cursor.execute(
            "INSERT INTO runs_heartbeat (name, kind, seen_at) VALUES ('scheduler', 'scheduler', clock_timestamp()) "
            "ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
        )
        cursor.execute("DELETE FROM runs_heartbeat WHERE seen_at < clock_timestamp() - interval '1 hour'")
    ring(*due(_PATIENCE, _BATCH))


def ring(*runs: UUID) -> None:
    """Ask for a worker. If the broker is away, the tick will ring once it is back."""
    for run in runs:
        try:
            advance_run.delay(str(run))
        except (OperationalError, OSError) as error:
            log.warning("bell not rung", run=str(run), error=type(error).__name__)
