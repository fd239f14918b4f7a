"""A list asks the database as often for three rows as for one."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.registry.models import Agent
from agents.registry.services import create_agent
from agents.runs.services import start_run
from agents.schedules.plans import Plan
from agents.schedules.services import create_schedule, create_trigger
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, with_waits
from tests.foundation.api.world import World, judge

LISTS = ["/", "/runs/?all=1", "/sessions/", "/schedules/", "/triggers/", "/workers/", "/approvals/", "/agents/",
         "/policies/", "/tools/", "/costs/", "/audit/?range=all", "/settings/people/", "/settings/teams/",
         "/settings/services/", "/settings/roles/",
         "/settings/models/", "/settings/tokens/", "/runs/?all=1&format=csv", "/sessions/?all=1&format=csv",
         "/approvals/?format=csv", "/agents/?format=csv", "/audit/?range=all&format=csv"]  # fmt: skip


def more(world: World) -> None:
    """Two more runs with an ask each, and two more agents."""
    with tenant(world.organisation.id):
        agent = Agent.objects.get(slug="clerk")
        runs = [start_run(actor=world.actor("operator"), agent=agent, title=f"More {n}", input="x") for n in range(2)]
        for number in range(2):
            create_agent(
                actor=world.shell, team=world.team, slug=f"more-{number}", name="More", purpose="",
                sponsor=world.people["administrator"],
            )  # fmt: skip
            plan = Plan(name=f"More {number}", kind="interval", expression="3600", input="x")
            create_schedule(actor=world.actor("builder"), agent=agent, plan=plan)
            create_trigger(actor=world.actor("builder"), agent=agent, name=f"More {number}")
    for run in runs:
        judge(run)
        world.things |= {"runs": run.id, "sessions": run.session_id}
        with_waits(world)


def queries(visit: Visit, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = visit(path)
        assert answer.status_code == 200
        # An export asks while it is read.
        answer.getvalue()
    return len(captured)


@pytest.mark.parametrize("path", LISTS)
def test_rows_cost_no_queries(world: World, visit: Visit, path: str, request: Any):
    visit(path)
    one = queries(visit, path)
    more(world)
    assert queries(visit, path) <= one
