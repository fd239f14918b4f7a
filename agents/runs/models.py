"""Sessions, runs, and their journal. The whole state of every agent's work is in these rows."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from agents.registry.models import Agent, AgentVersion
from foundation.access.models import PermittedQuerySet
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget, Organisation
from foundation.tenancy.models import TenantForeignKey, TenantModel


class SessionState(models.TextChoices):
    """Whether a session takes more input."""

    OPEN = "open"
    CLOSED = "closed"


class Session(TenantModel):
    """The durable context of one agent with one counterpart, pinned to the version that it began with.

    `label` is the join of all that it has seen.
    """

    agent = TenantForeignKey(Agent, related_name="sessions")
    version = TenantForeignKey(AgentVersion, related_name="+")
    target = TenantForeignKey(GrantTarget, related_name="+")
    counterpart = models.CharField(max_length=300, blank=True)
    label = models.JSONField(default=dict)
    state = models.CharField(max_length=6, choices=SessionState, default=SessionState.OPEN)

    objects = PermittedQuerySet["Session"].as_manager()

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return f"session of {self.agent_id}"


class RunState(models.TextChoices):
    """The states of a run; the last four absorb."""

    QUEUED = "queued"  # ready; the next worker takes it
    RUNNING = "running"  # a worker holds its lease
    WAITING = "waiting"  # waits for what `waits_for` names
    SUCCEEDED = "succeeded"  # ended with an answer
    FAILED = "failed"  # ended without one; `failure` says why
    CANCELLED = "cancelled"  # ended by a person
    EXPIRED = "expired"  # ended by its time limit


ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.EXPIRED)


class Wait(models.TextChoices):
    """What a waiting run waits for."""

    APPROVAL = "approval"  # people's votes on the request `waits_on`
    CHILD = "child"  # the end of the run `waits_on`
    TIMER = "timer"  # the moment `wake_at`
    PERSON = "person"  # a person's word on an effect whose outcome is unknown


class Run(TenantModel):
    """The work caused by one input.

    `fence` grows with every lease: a write that carries an older one changes nothing. `input` and `output` are JSON;
    money is in micro-units of `currency`. `chain` holds the principals that it acts for, nearest first.
    """

    session = TenantForeignKey(Session, related_name="runs")
    agent = TenantForeignKey(Agent, related_name="runs")
    version = TenantForeignKey(AgentVersion, related_name="runs")
    target = TenantForeignKey(GrantTarget, related_name="+")
    parent = TenantForeignKey("self", null=True, blank=True, related_name="children")
    root_id = models.UUIDField()
    depth = models.PositiveSmallIntegerField(default=0)
    requester = TenantForeignKey(Principal, null=True, blank=True, related_name="+")
    chain = models.JSONField(default=list)
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=40, default="console")
    submission = models.CharField(max_length=120, null=True, blank=True)
    input = models.JSONField()
    input_label = models.JSONField(default=dict)
    output = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=RunState, default=RunState.QUEUED)
    failure = models.TextField(blank=True)
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    crashes = models.PositiveSmallIntegerField(default=0)
    waits_for = models.CharField(max_length=8, choices=Wait, blank=True)
    waits_on = models.UUIDField(null=True, blank=True)
    wake_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    admitted = models.BooleanField(default=False)
    rung_at = models.DateTimeField(db_default=Now())
    steps_written = models.PositiveIntegerField(default=0)
    events_written = models.PositiveIntegerField(default=0)
    deadline = models.DateTimeField()
    budget = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    cost = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    rehearsed = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = PermittedQuerySet["Run"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "submission"], name="run_submission"),
            models.CheckConstraint(
                name="run_live",
                condition=models.Q(state="queued")
                | models.Q(state="running", lease_until__isnull=False)
                | models.Q(state="waiting") & ~models.Q(waits_for="")
                | models.Q(state__in=["succeeded", "failed", "cancelled", "expired"], ended_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="run_newest"),
            models.Index(fields=["target", "-id"], name="run_by_target"),
            models.Index(fields=["parent"], name="run_children"),
            models.Index(fields=["lease_until"], name="run_leases", condition=models.Q(state="running")),
            models.Index(fields=["id"], name="run_queued", condition=models.Q(state="queued")),
            models.Index(fields=["wake_at"], name="run_wakes", condition=models.Q(state="waiting")),
            models.Index(fields=["waits_on"], name="run_waits", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return self.title


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


class Heartbeat(models.Model):
    """A process that lives: a worker, or the scheduler (whose tick a worker writes). Outside the organisations."""

    name = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=20)
    seen_at = models.DateTimeField(db_default=Now())

    KINDS: ClassVar[tuple[str, ...]] = ("worker", "scheduler")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
