"""The organisation, its nested teams, and the tree of things that a grant can point at."""

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from foundation.tenancy.models import Identified, TenantForeignKey, TenantModel


class Organisation(Identified):
    """The tenant: everything belongs to exactly one. `currency` is that of its budgets (ISO 4217)."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3, default="EUR")

    class Meta(Identified.Meta):
        pass

    def __str__(self) -> str:
        return self.name


class TargetKind(models.TextChoices):
    """What a grant can point at."""

    ORGANISATION = "organisation"
    TEAM = "team"
    AGENT = "agent"


class GrantTarget(TenantModel):
    """A node of the tree along which grants are inherited.

    It has the id of the thing itself, so that no foreign key points upward. `lineage` holds its own id and those
    of all nodes above it: a grant on any of them counts here.
    """

    kind = models.CharField(max_length=16, choices=TargetKind)
    name = models.CharField(max_length=160)
    lineage = ArrayField(models.UUIDField())

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @classmethod
    def lineage_under(cls, parent: "Team | None", organisation: UUID) -> list[UUID]:
        """The nodes above whatever stands under a team, or directly under the organisation."""
        if parent is None:
            return [organisation]
        # As it is now, and not as it was when the caller looked.
        lineage: list[UUID] = cls._default_manager.values_list("lineage", flat=True).get(pk=parent.target_id)
        return lineage


class Team(TenantModel):
    """People and the agents that they own; teams nest. An archived one is kept, and gets nothing new."""

    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    parent = TenantForeignKey("self", null=True, blank=True, related_name="children")
    target = TenantForeignKey(GrantTarget, related_name="+")
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="team_slug")]

    def __str__(self) -> str:
        return self.name


class Configuration(TenantModel):
    """How often the definitions of an organisation have changed: its agents, tools, models, prices, teams, people.

    Counted by triggers on their tables, so that whoever keeps a copy of them sees by one number whether it is still
    good.
    """

    number = models.BigIntegerField(default=1)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation"], name="configuration_once")]

    def __str__(self) -> str:
        return f"configuration {self.number}"
