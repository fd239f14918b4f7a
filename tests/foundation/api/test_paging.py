"""Pages by key: every row once, whatever comes meanwhile; nothing that the caller did not ask for."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.foundation.api.world import World


def _teams(world: World, count: int) -> None:
    for number in range(count):
        assert world.api().post("/teams", {"slug": f"team-{number}", "name": f"Team {number}"}).status_code == 201


def test_every_row_comes_once(bare: World) -> None:
    _teams(bare, 5)
    seen: list[Any] = []
    address: str | None = "/teams?limit=2"
    while address:
        answer = bare.api("viewer").get(address)
        page = answer.json()
        assert len(page["items"]) <= 2
        assert answer.headers.get("Link") == (f'<{page["next"]}>; rel="next"' if page["next"] else None)
        seen += [team["slug"] for team in page["items"]]
        if address == "/teams?limit=2":
            _ = bare.api().post("/teams", {"slug": "meanwhile", "name": "Meanwhile"})
        address = page["next"]
    assert seen == ["desk", *(f"team-{number}" for number in range(5)), "meanwhile"]


def test_runs_come_newest_first(world: World) -> None:
    for number in range(3):
        world.api("operator").post("/runs", {"agent": "clerk", "input": str(number), "title": f"Run {number}"})
    titles = [run["title"] for run in world.api().get("/runs?limit=3").json()["items"]]
    assert titles == ["Run 2", "Run 1", "Run 0"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=٣", "after=x", "limt=3"])
def test_a_wrong_parameter_is_told(bare: World, query: str) -> None:
    answer = bare.api().get(f"/teams?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["errors"]


def test_a_wrong_filter_is_told(world: World) -> None:
    assert world.api().get("/runs?state=sleeping").status_code == 400
    assert world.api().get("/runs?agent=x").status_code == 400


def test_filters_stay_on_the_next_page(world: World) -> None:
    world.api("operator").post("/runs", {"agent": "clerk", "input": "again"})
    page = world.api().get("/runs?state=queued&limit=1").json()
    assert "state=queued" in page["next"]
    assert len(world.api().get(page["next"]).json()["items"]) == 1


def test_a_list_costs_the_same_for_one_row_and_for_three(world: World) -> None:
    api = world.api()
    api.get("/runs")
    with CaptureQueriesContext(connection) as one:
        api.get("/runs")
    for number in range(2):
        world.api("operator").post("/runs", {"agent": "clerk", "input": str(number)})
    with CaptureQueriesContext(connection) as three:
        api.get("/runs")
    assert len(one.captured_queries) == len(three.captured_queries)
