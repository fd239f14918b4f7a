"""The system's own ticks, which cross organisations."""

from celery import shared_task
from django.db import connections, transaction

from config.pruning import prune_all
from foundation.audit.sealing import seal

PARTITIONED = (
    "audit_auditentry",
    "runs_step",
    "runs_event",
    "policies_policydecision",
    "budgets_ledgerentry",
)


@shared_task(name="config.tasks.seal_record")
def seal_record() -> None:
    """Append what was recorded since to the organisations' logs."""
    try:
        seal(limit=5_000)
    finally:
        connections["system"].close()


@shared_task(name="config.tasks.make_partitions")
def make_partitions() -> None:
    """Partitions for the months to come."""
    try:
        with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
            for table in PARTITIONED:
                cursor.execute("SELECT remit_make_partitions(%s, 3)", [table])
    finally:
        connections["system"].close()


@shared_task(name="config.tasks.prune")
def prune() -> None:
    """What nobody needs any more goes."""
    try:
        prune_all()
    finally:
        connections.close_all()
