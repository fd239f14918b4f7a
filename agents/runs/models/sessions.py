"""Sessions: what an agent keeps of its work with one counterpart, over as many runs as it takes."""

from typing import ClassVar, Self

from django.db import models

from agents.registry.models import LARGE_IN_VERSIONS, Agent, AgentVersion
from foundation.access.models import PermittedQuerySet
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel


class SessionState(models.TextChoices):
    """Whether a session takes more input."""

    OPEN = "open"
    CLOSED = "closed"


class SessionQuerySet(PermittedQuerySet["Session"]):
    """Sessions, permitted or not."""

    def listed(self) -> Self:
        """With the names of agent and version, without all that may be large: lists show nothing of it."""
        large = ("memory", *(f"version__{one}" for one in LARGE_IN_VERSIONS))
        return self.select_related("agent", "version").defer(*large)


class Session(TenantModel):
    """The durable context of one agent with one counterpart, pinned to the version that it began with.

    `label` is the join of all that it has seen. `memory` is the working memory: a name gives `{"value", "label"}`.
    `turns` counts the runs that were begun in it: with one at most, there is nothing to look back at.
    """

    agent = TenantForeignKey(Agent, related_name="sessions")
    version = TenantForeignKey(AgentVersion, related_name="+")
    target = TenantForeignKey(GrantTarget, related_name="+")
    counterpart = models.CharField(max_length=300, blank=True)
    title = models.CharField(max_length=200, blank=True, default="", db_default="")
    label = models.JSONField(default=dict)
    memory = models.JSONField(default=dict, db_default={})
    turns = models.PositiveIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=6, choices=SessionState, default=SessionState.OPEN)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="session_newest"),
            models.Index(fields=["target", "-id"], name="session_by_target"),
        ]

    def __str__(self) -> str:
        return f"session of {self.agent_id}"


class Summary(TenantModel):
    """A compaction: one text in the place of a session's older items, whose label is the join of theirs.

    It covers every item up to the step `number` of `run_id` (0: up to the end of the runs before it). `lineage` names
    what it was made of: `{"former": id or null, "items": how many, "digest": SHA-256 over their canonical JSON}`.
    """

    target_path: ClassVar[str] = "session__target"
    session = TenantForeignKey(Session, related_name="summaries")
    run_id = models.UUIDField()
    number = models.PositiveIntegerField()
    text = models.TextField()
    label = models.JSONField()
    lineage = models.JSONField()
    tokens = models.PositiveIntegerField()

    objects = PermittedQuerySet["Summary"].as_manager()

    def __str__(self) -> str:
        return f"summary up to {self.number} of {self.run_id}"
