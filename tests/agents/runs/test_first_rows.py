"""The first rows of a list are those that the plain filter would give, whoever looks and whatever else is asked."""

from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.registry.models import Agent
from agents.registry.services import create_agent
from agents.runs.models import Run
from agents.runs.services import start_run
from foundation.access.pages import first_rows
from foundation.access.services import grant
from foundation.actors import Actor
from foundation.organisations.models import GrantTarget
from foundation.organisations.services import create_team
from foundation.organisations.tree import move_team
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation

SEES = {
    "nothing": [],
    "everything": ["organisation"],
    "one team": ["upper"],
    "a team below": ["lower"],
    "a team and the one below it": ["upper", "lower"],
    "two agents": ["agent-0", "agent-3"],
    "an agent and its own team": ["agent-0", "upper"],
    "all teams": ["upper", "aside"],
}


@pytest.fixture(scope="module")
def spread(django_db_blocker: Any) -> Any:
    """Agents in three teams, one below another, with runs of them in turn."""
    with django_db_blocker.unblock():
        world = furnish(make_organisation("spread"))
        with tenant(world.organisation.id):
            common: dict[str, Any] = {"actor": world.shell, "organisation": world.organisation}
            upper = create_team(**common, slug="upper", name="Upper")
            lower = create_team(**common, slug="lower", name="Lower", parent=upper)
            aside = create_team(**common, slug="aside", name="Aside")
            clerk = Agent.objects.get(slug="clerk")
            agents = []
            for number in range(6):
                agent = create_agent(
                    actor=world.shell, team=[upper, lower, aside][number % 3], slug=f"agent-{number}", name="A",
                    purpose="", sponsor=world.people["administrator"],
                )  # fmt: skip
                Agent.objects.filter(pk=agent.pk).update(serving_id=clerk.serving_id, state="active")
                agents.append(Agent.objects.get(pk=agent.pk))
            for number in range(18):
                run = start_run(actor=world.shell, agent=agents[number % 6], title=f"Run {number}", input="x")
                if number % 4 == 0:
                    Run.objects.using("engine").filter(pk=run.pk).update(title="Special")
            nodes = {one.slug: one.target_id for one in agents} | {
                "upper": upper.id, "lower": lower.id, "aside": aside.id, "organisation": world.organisation.id,
            }  # fmt: skip
        yield world, nodes


def viewer(world: World, nodes: dict[str, Any], sees: str) -> Actor:
    """Somebody who sees so much."""
    person = world.people["stranger"]
    for one in person.grants.all():
        one.delete()
    for name in SEES[sees]:
        target = GrantTarget.objects.get(pk=nodes[name])
        grant(actor=world.shell, principal=person, role="viewer", target=target)
    return world.actor("stranger")


@pytest.mark.parametrize("sees", SEES)
@pytest.mark.parametrize("model", [Agent, Run])
def test_first_rows_are_those_of_the_filter(spread: Any, database: Any, model: Any, sees: str) -> None:
    world, nodes = spread
    permission = "agent.view" if model is Agent else "run.view"
    with tenant(world.organisation.id):
        actor = viewer(world, nodes, sees)
        rows = model.objects.all().permitted(actor, permission)
        for asked in (rows, rows.filter(state="active"), rows.exclude(**_special(model)), rows.select_related("agent")
                      if model is Run else rows.select_related("team")):  # fmt: skip
            for descending in (True, False):
                order = "-id" if descending else "id"
                plain = list(asked.order_by(order))
                assert first_rows(asked, 100, descending=descending) == plain
                assert first_rows(asked, 3, descending=descending) == plain[:3]
                for former, later in pairwise(plain):
                    after = asked.filter(**{f"id__{'lt' if descending else 'gt'}": former.id})
                    assert first_rows(after, 1, descending=descending) == [later]


def _special(model: Any) -> dict[str, str]:
    return {"slug": "agent-0"} if model is Agent else {"title": "Special"}


def test_two_statements_whoever_looks(spread: Any, database: Any) -> None:
    """How far the looker reaches, and the rows."""
    world, nodes = spread
    with tenant(world.organisation.id):
        for sees in SEES:
            actor = viewer(world, nodes, sees)
            with CaptureQueriesContext(connection) as asked:
                first_rows(Run.objects.all().permitted(actor, "run.view"), 5)
            assert len(asked) == (1 if sees == "nothing" else 2), sees


def test_a_team_that_moves_takes_its_runs_along(spread: Any, database: Any) -> None:
    """Nothing is written for the runs themselves."""
    world, nodes = spread
    with tenant(world.organisation.id):
        actor = viewer(world, nodes, "one team")
        rows = Run.objects.all().permitted(actor, "run.view")
        before = len(first_rows(rows, 100))
        team = world.team.__class__.objects.get(slug="lower")
        move_team(actor=world.shell, team=team, parent=None)
        assert len(first_rows(Run.objects.all().permitted(actor, "run.view"), 100)) < before
        move_team(actor=world.shell, team=team, parent=team.__class__.objects.get(slug="upper"))
        assert len(first_rows(Run.objects.all().permitted(actor, "run.view"), 100)) == before


def test_an_agent_that_moves_takes_its_runs_along(spread: Any, database: Any) -> None:
    world, nodes = spread
    with tenant(world.organisation.id):
        actor = viewer(world, nodes, "a team below")
        before = len(first_rows(Run.objects.all().permitted(actor, "run.view"), 100))
        moved = Agent.objects.get(slug="agent-0")
        former = moved.team_id
        for team in (nodes["lower"], former):
            Agent.objects.filter(pk=moved.pk).update(team_id=team)
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM runs_place WHERE node_id = %s", [nodes["lower"]])
                assert cursor.fetchone()[0] == (before + 3 if team == nodes["lower"] else before)
