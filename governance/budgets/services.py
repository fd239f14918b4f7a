"""Verbs on budgets."""

from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction

from agents.runs.waits import wake_for_budget
from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import refuse_agent
from foundation.organisations.models import GrantTarget
from governance.budgets.models import Budget, BudgetPeriod, BudgetScope

MOST = 10**15  # micro-units: a milliard


@transaction.atomic
def set_budget(
    *, actor: Actor, scope: str, scope_id: UUID, target: GrantTarget, limit: int, currency: str,
    period: str = BudgetPeriod.MONTH,
) -> Budget:  # fmt: skip
    """Set the ceiling of a scope for the current period, in micro-units.

    A limit below what is already spent closes the scope: what is over is booked as overrun, shown, and nothing more
    is spent. One that holds all that was spent opens it again. What calls in flight hold cannot be undone: a limit
    below that is a conflict.
    """
    refuse_agent(actor)
    if scope not in BudgetScope.values or scope == BudgetScope.RUN:
        raise InvalidError("A budget is for an organisation, a team or an agent.", field="scope")
    if period not in BudgetPeriod.values:
        raise InvalidError("A budget lasts a month, or is a total.", field="period")
    if not 0 <= limit <= MOST:
        raise InvalidError("The limit must be zero or more, and at most a milliard.", field="limit")
    starts_at = _start(period)
    if currency != target.organisation.currency:
        raise InvalidError(f"Budgets are in {target.organisation.currency} here.", field="currency")
    budget = (
        Budget.objects.select_for_update()
        .filter(organisation_id=target.organisation_id, scope=scope, scope_id=scope_id, starts_at=starts_at)
        .first()
    )
    former = budget.limit if budget else None
    if budget is None:
        budget = Budget(
            organisation_id=target.organisation_id, scope=scope, scope_id=scope_id, target=target, period=period,
            starts_at=starts_at, currency=currency,
        )  # fmt: skip
    if budget.currency != currency:
        raise InvalidError(f"This budget is kept in {budget.currency}: its currency stays.", field="currency")
    if limit < budget.reserved:
        raise ConflictError(
            f"Calls in flight hold {budget.reserved} micro-units of this budget: set at least that (nothing new is "
            "spent then), and less once they have ended."
        )
    spent = budget.settled + budget.overrun
    budget.settled = min(spent, limit - budget.reserved)
    budget.overrun = spent - budget.settled
    budget.limit = limit
    budget.save()
    record(
        entry(actor, "budget.set", target_kind="budget", target_id=budget.id, target_name=f"{scope} {target.name}",
              details={"former": former, "limit": limit, "currency": currency, "period": period})
    )  # fmt: skip
    wake_for_budget(scope_id)
    return budget


def _start(period: str) -> datetime:
    if period == BudgetPeriod.TOTAL:
        return datetime.fromtimestamp(0, UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'")
        row = cursor.fetchone()
    month: datetime = row[0]
    return month
