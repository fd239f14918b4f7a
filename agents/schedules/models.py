"""Schedules, each of their firings, and triggers."""

from typing import ClassVar

from django.db import models

from agents.registry.models import Agent
from agents.runs.models import Run
from foundation.access.models import PermittedQuerySet
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel


class ScheduleKind(models.TextChoices):
    """How the moments are given."""

    CRON = "cron"  # five fields, in the schedule's time zone
    INTERVAL = "interval"  # every so many seconds since `starts_at`
    ONCE = "once"  # at `starts_at`, and never again


class CatchUp(models.TextChoices):
    """What becomes of moments that passed while nothing ran."""

    SKIP = "skip", "Skip them"
    LATEST = "latest", "Run once for all of them"
    ALL = "all", "Run each of them"


class Overlap(models.TextChoices):
    """What happens when the former run has not ended."""

    SKIP = "skip", "Leave this one out"
    QUEUE = "queue", "Start it when the former has ended"
    ALLOW = "allow", "Run both"
    REPLACE = "replace", "Cancel the former"


class Schedule(TenantModel):
    """Moments at which an agent gets the same input, in the name of the person `owner`.

    `expression` is the cron line, or the seconds of an interval. `next_at` is the next moment, None when there is none.
    """

    agent = TenantForeignKey(Agent, related_name="schedules")
    target = TenantForeignKey(GrantTarget, related_name="+")
    owner = TenantForeignKey(Principal, related_name="+")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=ScheduleKind)
    expression = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    input = models.JSONField()
    catch_up = models.CharField(max_length=6, choices=CatchUp, default=CatchUp.LATEST)
    overlap = models.CharField(max_length=7, choices=Overlap, default=Overlap.SKIP)
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, default="")

    objects = PermittedQuerySet["Schedule"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]
        indexes = [models.Index(fields=["next_at"], name="schedule_due", condition=models.Q(enabled=True))]

    def __str__(self) -> str:
        return self.name


class FiringState(models.TextChoices):
    """What a moment came to."""

    STARTED = "started"  # it started a run
    QUEUED = "queued"  # waits for the former run to end
    SKIPPED = "skipped"  # left out, for the reason given
    FAILED = "failed"  # no run could be started, for the reason given


class Firing(TenantModel):
    """One moment of a schedule and what became of it: at most one for each moment."""

    target_path: ClassVar[str] = "schedule__target"
    schedule = TenantForeignKey(Schedule, related_name="firings")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=7, choices=FiringState)
    run = TenantForeignKey(Run, null=True, blank=True, related_name="+")
    reason = models.TextField(blank=True, default="")

    objects = PermittedQuerySet["Firing"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["schedule", "due_at"], name="firing_once")]
        indexes = [models.Index(fields=["schedule"], name="firing_queued", condition=models.Q(state="queued"))]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.due_at}"


class Trigger(TenantModel):
    """An address that starts a run of an agent when it is called with a signature, in the name of the person `owner`.

    `sealed_secret` signs the calls. What is sent is the run's input, and untrusted.
    """

    agent = TenantForeignKey(Agent, related_name="triggers")
    target = TenantForeignKey(GrantTarget, related_name="+")
    owner = TenantForeignKey(Principal, related_name="+")
    name = models.CharField(max_length=120)
    sealed_secret = models.TextField()
    enabled = models.BooleanField(default=True)
    called_at = models.DateTimeField(null=True, blank=True)

    objects = PermittedQuerySet["Trigger"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
