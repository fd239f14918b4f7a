"""Whoever waits for a row that somebody else is about to change finds it as it is then."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from agents.registry.models import Agent
from agents.registry.services import publish_version
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World
from tests.workers import superuser, until

__all__ = ["world"]
_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"


def meanwhile(table: str, change: str, values: list[Any], ask: Callable[[], Any]) -> Any:
    """The answer to what is asked while a change of the row that it locks has been made and not yet committed."""

    def asked() -> Any:
        try:
            return ask()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, superuser() as watcher:
        with superuser() as holder, holder.transaction():
            holder.execute(f"UPDATE {table} SET {change} WHERE id = %s", values)
            answer = pool.submit(asked)
            until(lambda: watcher.execute(_WAITS, [f"%{table}%"]).fetchone() == (1,), 20, lambda: "it does not wait")
        return answer.result()


@pytest.fixture
def second(world: World) -> Any:
    """The second version of the session's agent."""
    with tenant(world.organisation.id):
        agent = Agent.objects.get(slug="clerk")
        return publish_version(
            actor=world.shell, agent=agent, instructions="Otherwise.", language_model=agent.serving.language_model,
            tools=[], delegates=[], max_steps=4, max_seconds=60, max_output_tokens=10, run_budget=7, note="",
        )  # fmt: skip


def test_a_session_that_is_moved_meanwhile_remembers(world: World, second: Any) -> None:
    session = world.things["sessions"]
    answer = meanwhile("runs_session", "version_id = %s", [second.pk, session], lambda: world.api("operator").post(
        f"/sessions/{session}/memory", {"name": "language", "value": "French"}))  # fmt: skip
    assert answer.status_code == 200, answer.content


def test_a_run_of_a_session_that_is_moved_meanwhile_has_its_version(world: World, second: Any) -> None:
    session = world.api("operator").post("/sessions", {"agent": "clerk"}).json()["id"]
    answer = meanwhile("runs_session", "version_id = %s", [second.pk, session], lambda: world.api("operator").post(
        "/runs", {"session": session, "input": "Hello"}))  # fmt: skip
    assert (answer.status_code, answer.json().get("version")) == (201, 2), answer.content


def test_a_trigger_that_gets_another_owner_meanwhile_is_changed(world: World) -> None:
    trigger, owner = world.things["triggers"], world.people["operator"].id
    answer = meanwhile("schedules_trigger", "owner_id = %s", [owner, trigger], lambda: world.api().patch(
        f"/triggers/{trigger}", {"name": "Renamed"}))  # fmt: skip
    assert (answer.status_code, answer.json().get("name")) == (200, "Renamed"), answer.content
