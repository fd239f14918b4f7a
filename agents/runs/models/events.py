"""Events: what is streamed about a run."""

from django.db import models
from django.db.models.functions import Now

from foundation.organisations.models import Organisation


class Event(models.Model):
    """What is streamed about a run, numbered per run; partitioned like the steps."""

    pk = models.CompositePrimaryKey("run_id", "number")
    run_id = models.UUIDField()
    number = models.PositiveIntegerField()
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["run_id", "number"]

    def __str__(self) -> str:
        return f"{self.number}. {self.kind}"
