"""Budgets over REST."""

from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]


def _body(world: World, scope: str, limit: int = 5_000_000) -> dict[str, object]:
    scopes = {"organisation": world.organisation.id, "team": world.team.id, "agent": world.things["agents"]}
    return {"scope": scope, "scope_id": str(scopes[scope]), "limit": limit, "currency": "EUR"}


def test_a_budget_is_set_for_each_scope(world: World) -> None:
    for scope in ("organisation", "team", "agent"):
        answer = world.api().post("/budgets", _body(world, scope))
        assert answer.status_code == 201, answer.content
        assert (answer.json()["scope"], answer.json()["limit"], answer.json()["period"]) == (scope, 5_000_000, "month")
    assert len(world.api("viewer").get("/budgets").json()["items"]) == 3


def test_a_lead_sets_the_budget_of_the_own_team_only(world: World) -> None:
    with tenant(world.organisation.id):
        Grant.objects.filter(principal=world.people["team-lead"]).delete()
        grant(
            actor=world.shell, principal=world.people["team-lead"], role="team-lead",
            target=GrantTarget.objects.get(pk=world.team.id),
        )  # fmt: skip
    lead = world.api("team-lead")
    assert lead.post("/budgets", _body(world, "team")).status_code == 201
    assert lead.post("/budgets", _body(world, "organisation")).status_code == 403


def test_the_scope_must_be_what_it_says(world: World) -> None:
    body = _body(world, "team") | {"scope": "agent"}
    assert world.api().post("/budgets", body).status_code == 404
    assert world.api().post("/budgets", body | {"scope": "run"}).status_code == 400


def test_money_is_a_whole_number_that_is_not_negative(world: World) -> None:
    for limit in (-1, 1.5, "many", None, 2**60):
        assert world.api().post("/budgets", _body(world, "team") | {"limit": limit}).status_code == 400, limit
