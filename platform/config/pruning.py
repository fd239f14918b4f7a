"""What nobody needs any more goes: sessions that have run out, old firings, old keys of requests.

It goes in batches, one transaction each. Rows that somebody else holds are passed over: the next round finds them.
"""

import time
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connections, transaction

from foundation.api.once import KEPT
from foundation.ids import lowest_id
from foundation.instants import database_now

log = structlog.get_logger(__name__)

BATCH = 1_000
_PATIENCE = 10.0  # seconds of one round; the next one goes on

# A browser's row goes with its session, or, where the session was ended by other means, a day after it was last seen.
_SESSIONS = """
WITH gone AS (
    DELETE FROM django_session WHERE session_key IN (
        SELECT session_key FROM django_session WHERE expire_date < clock_timestamp()
        ORDER BY expire_date LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING session_key
), browsers AS (
    DELETE FROM identity_websession w USING gone WHERE w.key = gone.session_key
)
SELECT count(*) FROM gone
"""
_BROWSERS = """
WITH gone AS (
    DELETE FROM identity_websession WHERE id IN (
        SELECT w.id FROM identity_websession w WHERE w.last_seen_at < clock_timestamp() - interval '1 day'
        AND NOT EXISTS (SELECT FROM django_session s WHERE s.session_key = w.key)
        LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING id
)
SELECT count(*) FROM gone
"""
# The newest of each schedule stays, and those that still count for what the next one may do.
_FIRINGS = """
WITH gone AS (
    DELETE FROM schedules_firing WHERE id IN (
        SELECT f.id FROM schedules_firing f WHERE f.id < %s AND f.state <> 'queued'
        AND EXISTS (SELECT FROM schedules_firing g WHERE g.schedule_id = f.schedule_id AND g.due_at > f.due_at)
        AND NOT EXISTS (SELECT FROM runs_run r WHERE r.id = f.run_id AND r.state IN ('queued', 'running', 'waiting'))
        ORDER BY f.id LIMIT %s FOR UPDATE OF f SKIP LOCKED)
    RETURNING id
)
SELECT count(*) FROM gone
"""
_SUBMISSIONS = """
WITH gone AS (
    DELETE FROM api_submission WHERE id IN (
        SELECT id FROM api_submission WHERE id < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING id
)
SELECT count(*) FROM gone
"""


def prune_all() -> None:
    """One round over everything."""
    until = time.monotonic() + _PATIENCE
    now = database_now()
    pruned = {
        "sessions": _prune(_SESSIONS, until),
        "browsers": _prune(_BROWSERS, until),
        "submissions": _prune(_SUBMISSIONS, until, lowest_id(now - KEPT)),
    }
    if settings.REMIT_FIRINGS_DAYS > 0:
        oldest = lowest_id(now - timedelta(days=settings.REMIT_FIRINGS_DAYS))
        pruned["firings"] = _prune(_FIRINGS, until, oldest)
    if any(pruned.values()):
        log.info("pruned", **pruned)


def _prune(statement: str, until: float, *values: UUID) -> int:
    """Batch after batch, while there is something and time: how many rows went."""
    total, gone = 0, BATCH
    while gone == BATCH and time.monotonic() < until:
        with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
            cursor.execute(statement, [*values, BATCH])
            gone = cursor.fetchone()[0]
        total += gone
    return total
