"""The journal: steps, numbered in each run and partitioned by the time in its id."""

from django.db import models
from django.db.models.functions import Now

from foundation.organisations.models import Organisation


class StepKind(models.TextChoices):
    """What a step of the journal is."""

    MODEL_CALL = "model_call", "Model call"
    TOOL_CALL = "tool_call", "Tool call"
    DELEGATION = "delegation"
    DECISION_WAIT = "decision_wait", "Decision wait"


class StepState(models.TextChoices):
    """What is known of a step."""

    INTENDED = "intended"  # committed before the call; no outcome yet
    WAITING = "waiting"  # waits for people or for a child run
    SUCCEEDED = "succeeded"  # done
    FAILED = "failed"  # surely not done
    UNKNOWN = "unknown"  # nobody knows whether it happened
    REFUSED = "refused"  # the gate or a person said no


class Step(models.Model):
    """One journaled entry of a run, numbered from 1; partitioned by the time in the run's id.

    `call_id` is the model's own id of a tool call; `verdict` the gate's answer as plain values; `provenance` has
    a label for each argument. `child_id` is the run that a delegation made.
    """

    pk = models.CompositePrimaryKey("run_id", "number")
    run_id = models.UUIDField()
    number = models.PositiveIntegerField()
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=13, choices=StepKind)
    state = models.CharField(max_length=9, choices=StepState)
    attempt = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=160)
    call_id = models.CharField(max_length=160, blank=True)
    effect = models.CharField(max_length=10, blank=True)
    idempotency_key = models.CharField(max_length=120, blank=True)
    digest = models.CharField(max_length=80, blank=True)
    decision_id = models.UUIDField(null=True)
    verdict = models.JSONField(default=dict)
    input = models.JSONField(default=dict)
    output = models.JSONField(null=True)
    label = models.JSONField(default=dict)
    provenance = models.JSONField(default=dict)
    usage = models.JSONField(default=dict)
    cost = models.BigIntegerField(default=0)
    child_id = models.UUIDField(null=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["run_id", "number"]

    def __str__(self) -> str:
        return f"{self.number}. {self.kind} {self.name}"
