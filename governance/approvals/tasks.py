"""What becomes of asks that nobody answers, or whose run has ended."""

from uuid import UUID

from celery import shared_task
from django.db import connections, transaction

from agents.runs.claims import wake
from agents.runs.tasks import ring
from foundation.actors import system_actor
from foundation.audit.record import entry, record

_EXPIRE = """
UPDATE approvals_approvalrequest r SET decided_at = coalesce(r.decided_at, clock_timestamp()),
    state = CASE WHEN u.state IN ('succeeded', 'failed', 'cancelled', 'expired') THEN 'void' ELSE 'expired' END
FROM runs_run u WHERE u.id = r.run_id AND r.state IN ('waiting', 'approved') AND (r.expires_at <= clock_timestamp()
    OR u.state IN ('succeeded', 'failed', 'cancelled', 'expired'))
RETURNING r.id, r.run_id, r.organisation_id, r.question, r.state, r.step,
    CASE WHEN r.state = 'expired' AND r.decided_at < r.expires_at THEN 'It was approved, but not used in time.'
        ELSE '' END
"""


@shared_task(name="governance.approvals.tasks.expire")
def expire() -> None:
    """No answer in time is a no: end such asks, record it, and wake the runs."""
    woken: list[UUID] = []
    try:
        with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
            cursor.execute(_EXPIRE)
            ended = cursor.fetchall()
            actor = system_actor("clock")
            record(
                *(
                    entry(
                        actor.within(organisation), f"approval.{state}", target_kind="approval", target_id=request,
                        target_name=question, outcome="denied", run=run, step=step, reason=reason,
                    )
                    for request, run, organisation, question, state, step, reason in ended
                ),
                using="system",
            )  # fmt: skip
            woken = [run for request, run, *_ in ended if wake(cursor, run, request)]
    finally:
        connections["system"].close()
    ring(*woken)
