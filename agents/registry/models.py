"""Agents as rows, and their versions, which never change."""

from typing import ClassVar

from django.db import models

from agents.catalogue.models import LanguageModel
from foundation.access.models import PermittedQuerySet
from foundation.access.pages import Places
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget, Team
from foundation.tenancy.models import TenantForeignKey, TenantModel


class AgentState(models.TextChoices):
    """Where an agent is in its life."""

    DRAFT = "draft"  # being built: starts nothing
    IN_REVIEW = "in_review", "In review"  # its builder is done, somebody else looks at it: starts nothing
    ACTIVE = "active"  # may start runs
    SUSPENDED = "suspended"  # stopped by a person: starts nothing, can come back
    RETIRED = "retired"  # ended for good


class Agent(TenantModel):
    """A durable, named worker with its own identity, owned by a team and answered for by a sponsor.

    Its id is also that of its principal and of its grant target. Without an active sponsor it is ownerless and
    starts nothing. `serving` is the version that new sessions get, `submitted_by` who sent it to review.
    """

    places: ClassVar[Places] = Places("registry_agent", "team_id", "id", is_node=True)
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=300, blank=True)
    team = TenantForeignKey(Team, related_name="agents")
    target = TenantForeignKey(GrantTarget, related_name="+")
    principal = TenantForeignKey(Principal, related_name="+")
    sponsor = TenantForeignKey(Principal, null=True, blank=True, related_name="sponsored_agents")
    serving = TenantForeignKey("AgentVersion", null=True, blank=True, related_name="+")
    state = models.CharField(max_length=9, choices=AgentState, default=AgentState.DRAFT)
    submitted_by = TenantForeignKey(Principal, null=True, blank=True, related_name="+")

    objects = PermittedQuerySet["Agent"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="agent_slug")]
        indexes = [models.Index(fields=["team", "id"], name="agent_by_team")]

    def __str__(self) -> str:
        return self.name


class Truncation(models.TextChoices):
    """What happens when a session does not fit into the model's context any more."""

    COMPACT = "compact", "Sum up the older part"  # by the model itself, as a step of its own
    DROP = "drop", "Leave out the older part"  # whole exchanges, the oldest first
    REFUSE = "refuse", "Stop with an error"


class OnExhausted(models.TextChoices):
    """What happens when a budget above the run's own has nothing left."""

    STOP = "stop", "Stop the run"
    WAIT = "wait", "Wait for more"  # until a person raises it, or its next month begins


LARGE_IN_VERSIONS = ("instructions", "tools", "delegates")


class AgentVersion(TenantModel):
    """An immutable, numbered definition. The database refuses to change it.

    `tools` names the tools that it may use, `delegates` the agents (by slug) that it may give work to. Limits: steps,
    seconds, output tokens of one model call, micro-units of money, tokens (0: no limit) and runs below for one run.
    `truncation` says what happens when a session outgrows `context_tokens` (0: what the model takes), `on_exhausted`
    when a budget above the run's own has nothing left.
    `content_hash` is SHA-256 over RFC 8785 JSON of all that.
    """

    target_path: ClassVar[str] = "agent__target"
    agent = TenantForeignKey(Agent, related_name="versions")
    number = models.PositiveIntegerField()
    instructions = models.TextField()
    language_model = TenantForeignKey(LanguageModel, related_name="+")
    tools = models.JSONField(default=list)
    delegates = models.JSONField(default=list)
    max_steps = models.PositiveIntegerField(default=40)
    max_seconds = models.PositiveIntegerField(default=86_400)
    max_output_tokens = models.PositiveIntegerField(default=1_024)
    run_budget = models.BigIntegerField(default=100_000)
    max_tokens = models.BigIntegerField(default=0, db_default=0)
    max_children = models.PositiveSmallIntegerField(default=16, db_default=16)
    context_tokens = models.PositiveIntegerField(default=0, db_default=0)
    truncation = models.CharField(max_length=7, choices=Truncation, default=Truncation.COMPACT, db_default="compact")
    on_exhausted = models.CharField(max_length=4, choices=OnExhausted, default=OnExhausted.STOP, db_default="stop")
    content_hash = models.CharField(max_length=80)
    note = models.CharField(max_length=300, blank=True)

    objects = PermittedQuerySet["AgentVersion"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="agentversion_number")]

    def __str__(self) -> str:
        return f"version {self.number}"
