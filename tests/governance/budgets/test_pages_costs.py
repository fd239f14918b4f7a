"""Costs and budgets in the console."""

from foundation.tenancy.context import tenant
from governance.budgets.models import Budget
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def test_a_budget_is_set_for_a_team(world: World, visit: Visit):
    form = {"target": str(world.team.id), "limit": "12.5", "period": "month"}
    assert visit("/costs/budget", "team-lead", form=form).status_code == 303
    with tenant(world.organisation.id):
        budget = Budget.objects.get(scope="team")
    assert (budget.limit, budget.scope_id, budget.currency) == (12_500_000, world.team.id, "EUR")
    assert "€12.50" in visit("/costs/", "viewer").content.decode()


def test_a_limit_below_zero_is_told_at_its_field(world: World, visit: Visit):
    answer = visit("/costs/budget", form={"target": str(world.team.id), "limit": "-1", "period": "month"})
    assert answer.status_code == 422
    assert 'id="id_limit_error"' in answer.content.decode()
