"""Policies, their immutable versions, and the decisions that they gave."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from foundation.access.models import PermittedQuerySet
from foundation.organisations.models import GrantTarget, Organisation
from foundation.tenancy.models import TenantForeignKey, TenantModel


class EnforcementMode(models.TextChoices):
    """What a policy's word is worth."""

    OFF = "off"  # not asked
    LOG_ONLY = "log_only", "Log only"  # asked and written down, not obeyed
    ENFORCE = "enforce"  # obeyed


class Policy(TenantModel):
    """Cedar source with a name. `live` is the version in force; none means that it says nothing."""

    target_path: ClassVar[str] = ""
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    mode = models.CharField(max_length=8, choices=EnforcementMode, default=EnforcementMode.ENFORCE)
    live = TenantForeignKey("PolicyVersion", null=True, blank=True, related_name="+")

    objects = PermittedQuerySet["Policy"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="policy_slug")]

    def __str__(self) -> str:
        return self.name


class PolicyVersion(TenantModel):
    """One immutable version. The database refuses to change it."""

    target_path: ClassVar[str] = ""
    policy = TenantForeignKey(Policy, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField()
    content_hash = models.CharField(max_length=80)
    note = models.CharField(max_length=300, blank=True)

    objects = PermittedQuerySet["PolicyVersion"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["policy", "number"], name="policyversion_number")]

    def __str__(self) -> str:
        return f"version {self.number}"


class PolicyGeneration(TenantModel):
    """A counter that grows with every change of the organisation's policies.

    A verdict carries the number that it was given under; `commit` refuses a verdict of another one.
    """

    number = models.BigIntegerField(default=1)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation"], name="policygeneration_once")]

    def __str__(self) -> str:
        return str(self.number)


class PolicyDecision(models.Model):
    """Allow, deny or ask for one act, with the policies that determined it. Append-only; partitioned by its id.

    `facts` is the Cedar request, so that a draft can be tried on it; `facts_digest` its SHA-256.
    `effect` is the outcome that was enforced, after money and approvals; `policy_effect` that of the policies.
    """

    target_path: ClassVar[str] = "target"
    id = models.UUIDField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(GrantTarget, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    run_id = models.UUIDField()
    step = models.PositiveIntegerField()
    kind = models.CharField(max_length=13)
    name = models.CharField(max_length=160)
    effect = models.CharField(max_length=5)
    policy_effect = models.CharField(max_length=5)
    reasons = models.JSONField(default=list)
    determinants = models.JSONField(default=list)
    digest = models.CharField(max_length=80)
    generation = models.BigIntegerField()
    facts = models.JSONField(default=dict)
    facts_digest = models.CharField(max_length=80)
    at = models.DateTimeField(db_default=Now())

    objects = PermittedQuerySet["PolicyDecision"].as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["run_id", "step"], name="decision_of_step")]

    def __str__(self) -> str:
        return f"{self.effect} {self.name}"
