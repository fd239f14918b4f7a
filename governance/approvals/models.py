"""Asks that wait for people, bound to one exact act, and the votes on them."""

from uuid import UUID

from django.db import models

from agents.runs.models import Run
from foundation.access.models import PermittedQuerySet
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel


class ApprovalState(models.TextChoices):
    """What became of an ask."""

    WAITING = "waiting"  # for votes
    APPROVED = "approved"  # may be used once
    CONSUMED = "consumed"  # was used
    DENIED = "denied"  # a person said no
    EXPIRED = "expired"  # nobody answered in time, or what was approved was not used in time
    VOID = "void"  # policy, tool, grant or label changed, or the run ended


class Risk(models.TextChoices):
    """How much could go wrong."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class ApprovalRequest(TenantModel):
    """An *ask*. Its `digest` binds it to the exact act; `generation` and `label` to the circumstances.

    `approvers` names the roles of which each must be held by some approver; `quorum` is the number of votes.
    """

    run = TenantForeignKey(Run, related_name="approval_requests")
    target = TenantForeignKey(GrantTarget, related_name="+")
    requester = TenantForeignKey(Principal, null=True, blank=True, related_name="+")
    step = models.PositiveIntegerField()
    decision_id = models.UUIDField()
    tool = models.CharField(max_length=160)
    arguments = models.JSONField()
    digest = models.CharField(max_length=80)
    generation = models.BigIntegerField()
    label = models.JSONField()
    question = models.CharField(max_length=300)
    reasons = models.JSONField(default=list)
    determinants = models.JSONField(default=list)
    risk = models.CharField(max_length=8, choices=Risk, default=Risk.MEDIUM)
    approvers = models.JSONField(default=list)
    quorum = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=8, choices=ApprovalState, default=ApprovalState.WAITING)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    objects = PermittedQuerySet["ApprovalRequest"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=models.Q(quorum__gte=1), name="approval_quorum")]
        indexes = [
            models.Index(fields=["target", "expires_at"], name="approval_queue", condition=models.Q(state="waiting")),
            models.Index(
                fields=["expires_at"], name="approval_open", condition=models.Q(state__in=["waiting", "approved"])
            ),
        ]

    def __str__(self) -> str:
        return self.question

    def is_of(self, principal: UUID | None) -> bool:
        """Whether the act is this principal's own: it has started the run, or the run acts for it, as a fork may."""
        return principal == self.requester_id or str(principal) in self.run.chain


class Vote(TenantModel):
    """One person's answer. Append-only."""

    request = TenantForeignKey(ApprovalRequest, related_name="votes")
    principal = TenantForeignKey(Principal, related_name="+")
    approve = models.BooleanField()
    reason = models.CharField(max_length=500, blank=True)
    digest = models.CharField(max_length=80)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["request", "principal"], name="vote_once")]

    def __str__(self) -> str:
        return "yes" if self.approve else "no"
