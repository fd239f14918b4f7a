"""REST endpoints of budgets."""

from typing import Any

from rest_framework import serializers

from foundation.access.guards import UnknownError, find_target
from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from governance.budgets.models import Budget, BudgetPeriod, BudgetScope
from governance.budgets.services import set_budget


class BudgetShape(Shape):
    """A ceiling on spend. Amounts in micro-units of `currency`; settled + reserved never exceed `limit`."""

    class Meta:
        model = Budget
        fields = ["id", "scope", "scope_id", "period", "starts_at", "currency", "limit", "settled", "reserved",
                  "overrun", "created_at"]  # fmt: skip


class SetBudget(Body):
    """`scope_id` is the id of the organisation, team or agent; `limit` in micro-units (1 EUR = 1,000,000)."""

    scope = serializers.ChoiceField(choices=[one for one in BudgetScope.choices if one[0] != BudgetScope.RUN])
    scope_id = serializers.UUIDField()
    limit = serializers.IntegerField(min_value=0, max_value=2**53 - 1)
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217.")
    period = serializers.ChoiceField(choices=BudgetPeriod.choices, default=BudgetPeriod.MONTH)


class BudgetEndpoints(Read):
    """Budgets of the organisation, its teams and agents."""

    rows = Budget.objects.all()
    shape = BudgetShape
    permission = Permission.BUDGET_VIEW
    filterset_fields = ["scope", "scope_id", "period"]

    @operation("Set a budget", Permission.BUDGET_MANAGE, body=SetBudget, status=201)
    def create(self, values: Any) -> Budget:
        """From now on; a limit below what is spent closes the scope."""
        # The scope's row and its target have the same id.
        target = find_target(self.actor, self.named, values["scope_id"], str(values["scope"]))
        if target.kind != values["scope"]:
            raise UnknownError(str(values["scope"]))
        return set_budget(actor=self.actor, target=target, **values)
