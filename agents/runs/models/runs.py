"""Runs: the work caused by one input, and what it waits for."""

from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Now

from agents.registry.models import LARGE_IN_VERSIONS, Agent, AgentVersion
from agents.runs.models.sessions import Session
from foundation.access.models import PermittedQuerySet
from foundation.access.pages import Places
from foundation.delegation.models import DelegationGrant
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel


class RunState(models.TextChoices):
    """The states of a run; the last four absorb."""

    QUEUED = "queued"  # ready; the next worker takes it
    RUNNING = "running"  # a worker holds its lease
    WAITING = "waiting"  # waits for what `waits_for` names
    SUCCEEDED = "succeeded"  # ended with an answer
    FAILED = "failed"  # ended without one; `failure` says why
    CANCELLED = "cancelled"  # ended by somebody, or because the run above it has
    EXPIRED = "expired"  # ended by its time limit


ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.EXPIRED)


class Wait(models.TextChoices):
    """What a waiting run waits for."""

    APPROVAL = "approval"  # people's votes on the request `waits_on`
    CHILD = "child"  # the end of runs below; `waits_on` is this run itself
    TIMER = "timer"  # the moment `wake_at`
    PERSON = "person"  # a person's word on an effect whose outcome is unknown
    INPUT = "input"  # a person's answer to the InputRequest `waits_on`
    EVENT = "event"  # a call of the Callback `waits_on` from outside
    BUDGET = "budget"  # more money in the budget `waits_on`, or its next month
    CAPACITY = "capacity"  # a model that says that it is busy; tried again at `wake_at`
    PAUSE = "pause"  # a person who resumes it


class Relation(models.TextChoices):
    """How a run came of a former one."""

    FORK = "fork"  # shares the journal up to a step, and goes on from there
    REPLAY = "replay"  # the same input, with recorded outputs
    HANDOVER = "handover"  # another agent took the session over


LARGE_IN_RUNS = ("input", "input_label", "output")


class RunQuerySet(PermittedQuerySet["Run"]):
    """Runs, permitted or not."""

    def listed(self) -> Self:
        """With the names of agent and version, without all that may be large: lists show nothing of it."""
        large = (*LARGE_IN_RUNS, *(f"version__{one}" for one in LARGE_IN_VERSIONS))
        return self.select_related("agent", "version").defer(*large)


class Run(TenantModel):
    """The work caused by one input.

    `fence` grows with every lease: a write that carries an older one changes nothing. `input` and `output` are JSON;
    money is in micro-units of `currency`. `chain` holds the principals that it acts for, nearest first; with a
    `delegation`, it and all that comes of it may do no more than that says. `former` is
    the run that it was made from, in the way that `relation` says, up to step `former_step`; `stubs_tools`: its tools
    answer with what the former run recorded, and nothing leaves. `max_tokens` 0 is no limit.
    """

    places: ClassVar[Places] = Places("runs_place", "node_id", "run_id", is_node=False)
    session = TenantForeignKey(Session, related_name="runs")
    agent = TenantForeignKey(Agent, related_name="runs")
    version = TenantForeignKey(AgentVersion, related_name="runs")
    target = TenantForeignKey(GrantTarget, related_name="+")
    parent = TenantForeignKey("self", null=True, blank=True, related_name="children")
    former = TenantForeignKey("self", null=True, blank=True, related_name="later")
    relation = models.CharField(max_length=8, choices=Relation, blank=True, default="", db_default="")
    former_step = models.PositiveIntegerField(default=0, db_default=0)
    stubs_tools = models.BooleanField(default=False, db_default=False)
    root_id = models.UUIDField()
    depth = models.PositiveSmallIntegerField(default=0)
    requester = TenantForeignKey(Principal, null=True, blank=True, related_name="+")
    chain = models.JSONField(default=list)
    delegation = TenantForeignKey(DelegationGrant, null=True, blank=True, related_name="+")
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
    pause_requested = models.BooleanField(default=False, db_default=False)
    admitted = models.BooleanField(default=False)
    rung_at = models.DateTimeField(db_default=Now())
    steps_written = models.PositiveIntegerField(default=0)
    events_written = models.PositiveIntegerField(default=0)
    deadline = models.DateTimeField()
    budget = models.BigIntegerField()
    max_tokens = models.BigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    cost = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    rehearsed = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

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
            models.Index(fields=["former"], name="run_later"),
            models.Index(fields=["lease_until"], name="run_leases", condition=models.Q(state="running")),
            models.Index(fields=["id"], name="run_queued", condition=models.Q(state="queued")),
            models.Index(fields=["wake_at"], name="run_wakes", condition=models.Q(state="waiting")),
            models.Index(fields=["waits_on"], name="run_waits", condition=models.Q(state="waiting")),
            models.Index(
                fields=["crashes"],
                name="run_crashed",
                condition=models.Q(crashes__gt=0, state__in=["queued", "running", "waiting"]),
            ),
        ]

    def __str__(self) -> str:
        return self.title
