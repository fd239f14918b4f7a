"""Events that services write: in the transaction that has locked the run's row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from agents.runs.journal import add_events
from agents.runs.models import Run


@dataclass(frozen=True, slots=True)
class _Place:
    run: UUID
    organisation: UUID


def tell(run: Run, kind: str, data: Mapping[str, Any]) -> None:
    """Write one event of a run whose row is locked, and was read after that."""
    run.events_written += 1
    Run.objects.filter(pk=run.pk).update(events_written=run.events_written)
    with connection.cursor() as cursor:
        add_events(cursor, _Place(run.id, run.organisation_id), run.events_written, [(kind, data)])
