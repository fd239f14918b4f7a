"""Budgets, the money held before a call, and the ledger. Amounts are integer micro-units of a currency."""

from django.db import models
from django.db.models.functions import Now

from foundation.access.models import PermittedQuerySet
from foundation.organisations.models import GrantTarget, Organisation
from foundation.tenancy.models import TenantForeignKey, TenantModel


class BudgetScope(models.TextChoices):
    """What a budget limits, from the widest to the narrowest."""

    ORGANISATION = "organisation"
    TEAM = "team"
    AGENT = "agent"
    RUN = "run"


class BudgetPeriod(models.TextChoices):
    """How long a budget lasts."""

    MONTH = "month"  # begins anew on the first of each month, in UTC
    TOTAL = "total"  # never begins anew


class Budget(TenantModel):
    """A ceiling on spend for a scope and a period.

    `settled` + `reserved` ≤ `limit` is a constraint of the database. What a provider charges beyond the amount held
    is booked in `overrun`, shown, and closes the scope. `scope_id` is the id of the organisation, team, agent or run.
    """

    scope = models.CharField(max_length=12, choices=BudgetScope)
    scope_id = models.UUIDField()
    target = TenantForeignKey(GrantTarget, related_name="+")
    period = models.CharField(max_length=5, choices=BudgetPeriod, default=BudgetPeriod.MONTH)
    starts_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    limit = models.BigIntegerField()
    settled = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    overrun = models.BigIntegerField(default=0)

    objects = PermittedQuerySet["Budget"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organisation", "scope", "scope_id", "starts_at"], name="budget_once"),
            models.CheckConstraint(
                name="budget_holds",
                condition=models.Q(settled__gte=0, reserved__gte=0, overrun__gte=0)
                & models.Q(settled__lte=models.F("limit") - models.F("reserved")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.limit} {self.currency}"


class ReservationState(models.TextChoices):
    """What became of money held."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"


class Reservation(TenantModel):
    """An upper bound held in every scope's budget before a call. Its id is that of the decision."""

    run_id = models.UUIDField()
    budgets = models.JSONField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=ReservationState, default=ReservationState.HELD)
    settled = models.BigIntegerField(null=True)
    settled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.state}"


class LedgerEntry(models.Model):
    """One booked movement. Append-only; partitioned by its id."""

    id = models.UUIDField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    run_id = models.UUIDField()
    decision_id = models.UUIDField()
    kind = models.CharField(max_length=8)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.currency}"
