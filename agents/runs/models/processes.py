"""The processes that do the work."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

WORKER_LOCKS = 0x52454D49  # the first key of the workers' advisory locks


class Heartbeat(models.Model):
    """A process that lives: a worker, or the scheduler (whose tick a worker writes). Outside the organisations.

    A worker holds the advisory lock (WORKER_LOCKS, `number`) in a database session of its own for as long as it lives:
    when the process dies, Postgres lets go of it at once. `slots` is how many runs it works on at a time, `busy` how
    many it does.
    """

    name = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=20)
    seen_at = models.DateTimeField(db_default=Now())
    number = models.IntegerField(default=0, db_default=0)
    started_at = models.DateTimeField(db_default=Now())
    slots = models.PositiveIntegerField(default=0, db_default=0)
    busy = models.PositiveIntegerField(default=0, db_default=0)
    draining = models.BooleanField(default=False, db_default=False)
    release = models.CharField(max_length=40, blank=True, default="", db_default="")

    KINDS: ClassVar[tuple[str, ...]] = ("worker", "scheduler")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
