"""A list reads nothing of what people and models wrote: one row of it may hold a megabyte."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

LARGE = re.compile(
    r'"(runs_run"."(input|output|input_label)|runs_session"."memory|schedules_schedule"."input'
    r'|registry_agentversion"."instructions)"'
)
PAGES = ["/", "/runs/?all=1", "/runs/?format=csv", "/sessions/?all=1", "/sessions/?format=jsonl", "/schedules/",
         "/approvals/", "/approvals/?state=decided", "/search?q=a"]  # fmt: skip


def large(ask: Any) -> list[str]:
    """The columns that were read, and may be large."""
    with CaptureQueriesContext(connection) as captured:
        assert ask().status_code == 200
    assert captured.captured_queries
    return [one.group() for query in captured.captured_queries for one in LARGE.finditer(query["sql"])]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_reads_no_bodies(world: World, visit: Visit, path: str) -> None:
    assert large(lambda: visit(path)) == []


@pytest.mark.parametrize("path", ["/runs", "/runs?state=queued", "/sessions", "/sessions?agent={agents}"])
def test_an_endpoint_reads_no_bodies(world: World, path: str) -> None:
    assert large(lambda: world.api().get(path.format(**world.things))) == []


def test_one_run_is_read_whole(world: World) -> None:
    assert large(lambda: world.api().get(f"/runs/{world.things['runs']}"))
