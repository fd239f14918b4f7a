"""What becomes of asks that nobody answers in time."""

import time
from uuid import UUID

from celery import shared_task
from django.db import connections, transaction

from agents.runs.claims import wake
from agents.runs.tasks import ring
from foundation.audit.record import record
from governance.approvals.endings import Ended, said

_BATCH = 200
_PATIENCE = 10.0  # seconds; the next tick goes on

# A clock that is stable within the statement lets it walk the index of open requests as far as their time is over, and
# no further: ten thousand that wait cost nothing. The runs come in the order in which everybody locks them.
_EXPIRE = """
WITH late AS (
    SELECT id FROM approvals_approvalrequest
    WHERE state IN ('waiting', 'approved') AND expires_at <= statement_timestamp()
    ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE approvals_approvalrequest r SET decided_at = coalesce(r.decided_at, clock_timestamp()),
        state = CASE WHEN u.ended_at IS NULL THEN 'expired' ELSE 'void' END
    FROM late, runs_run u WHERE r.id = late.id AND u.id = r.run_id
    RETURNING u.depth, r.id, r.organisation_id, r.run_id, r.question, r.step, r.state,
        CASE WHEN r.state = 'expired' AND r.decided_at < r.expires_at THEN 'It was approved, but not used in time.'
            ELSE '' END
) SELECT * FROM ended ORDER BY depth, run_id
"""


@shared_task(name="governance.approvals.tasks.expire")
def expire() -> None:
    """No answer in time is a no: end such asks, record it, and wake the runs. So many with each transaction."""
    until = time.monotonic() + _PATIENCE
    try:
        while _expire_some() == _BATCH and time.monotonic() < until:
            continue
    finally:
        connections["system"].close()


def _expire_some() -> int:
    with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
        cursor.execute(_EXPIRE, [_BATCH])
        ended = [Ended(*row[1:]) for row in cursor.fetchall()]
        record(*(said("clock", one) for one in ended), using="system")
        woken: list[UUID] = [one.run for one in ended if wake(cursor, one.run, one.request)]
    ring(*woken)
    return len(ended)
