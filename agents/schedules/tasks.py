"""The clock's tick for schedules. A tick that is lost is made up for by the next one; two at once do no harm."""

from celery import shared_task
from django.db import connections

from agents.schedules.engine import fire_all


@shared_task(name="agents.schedules.tasks.tick")
def tick() -> None:
    """Start whatever is due."""
    try:
        fire_all()
    finally:
        connections.close_all()
