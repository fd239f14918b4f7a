"""Schedules over REST."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from agents.schedules.models import Firing
from foundation.audit.models import AuditEntry
from foundation.identity.services import create_api_key
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import Api, World
from tests.workers import superuser, until

__all__ = ["world"]

NIGHTLY = {"agent": "clerk", "name": "Nightly", "kind": "cron", "expression": "30 2 * * *", "input": "Sum up the day",
           "time_zone": "Europe/Berlin"}  # fmt: skip


@pytest.fixture
def nightly(world: World) -> dict[str, Any]:
    """A schedule, as the administrator made it."""
    answer = world.api().post("/schedules", NIGHTLY)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_schedule_is_made_read_and_found(world: World, nightly: dict[str, Any]) -> None:
    api = world.api("viewer")
    assert (nightly["enabled"], nightly["catch_up"], nightly["overlap"]) == (True, "latest", "skip")
    assert nightly["owner"]["id"] == str(world.people["administrator"].id)
    assert datetime.fromisoformat(nightly["next_at"]) > datetime.now(UTC)
    assert api.get(f"/schedules/{nightly['id']}").json() == nightly
    assert nightly["id"] in [one["id"] for one in api.get("/schedules?kind=cron&enabled=true").json()["items"]]
    assert nightly["id"] not in [one["id"] for one in api.get("/schedules?enabled=false").json()["items"]]


def test_the_next_moments_are_shown(world: World, nightly: dict[str, Any]) -> None:
    found = world.api("viewer").get(f"/schedules/{nightly['id']}/upcoming").json()["moments"]
    assert len(found) == 10
    assert found == sorted(found)
    assert datetime.fromisoformat(found[0]) == datetime.fromisoformat(nightly["next_at"])


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("expression", {"expression": "30 25 * * *"}),
        ("expression", {"expression": "@daily"}),
        ("expression", {"kind": "interval", "expression": "1"}),
        ("expression", {"kind": "once"}),
        ("starts_at", {"kind": "once", "expression": "", "starts_at": "2020-01-01T00:00:00Z"}),
        ("starts_at", {"starts_at": "0001-01-01T00:00:00Z"}),
        ("ends_at", {"starts_at": "2030-01-01T00:00:00Z", "ends_at": "2029-01-01T00:00:00Z"}),
        ("ends_at", {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2021-01-01T00:00:00Z"}),
        ("time_zone", {"time_zone": "Berlin"}),
        ("kind", {"kind": "often"}),
        ("catch_up", {"catch_up": "some"}),
        ("overlap", {"overlap": "perhaps"}),
        ("input", {"input": ""}),
        ("input", {"input": ["a"]}),
        ("input", {"input": "\x00"}),
        ("name", {"name": " "}),
        ("owner", {"owner": "me"}),
    ],
)
def test_what_is_wrong_is_named(world: World, field: str, changes: dict[str, Any]) -> None:
    answer = world.api().post("/schedules", NIGHTLY | changes)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]


def test_whoever_changes_it_owns_it(world: World, nightly: dict[str, Any]) -> None:
    """Otherwise one could have somebody else's rights used for one's own words."""
    address = f"/schedules/{nightly['id']}"
    answer = world.api("builder").patch(address, {"input": {"order": 17}, "expression": "0 9 * * MON-FRI"})
    assert answer.status_code == 200, answer.content
    changed = answer.json()
    assert changed["owner"]["id"] == str(world.people["builder"].id)
    assert (changed["input"], changed["name"], changed["time_zone"]) == ({"order": 17}, "Nightly", "Europe/Berlin")
    assert changed["next_at"] != nightly["next_at"]
    with tenant(world.organisation.id):
        told = AuditEntry.objects.get(action="schedule.change", target_id=nightly["id"])
    assert told.actor_id == world.people["builder"].id
    assert told.details["expression"] == "0 9 * * MON-FRI"


def test_two_who_change_it_at_once_each_change_what_they_name(world: World, nightly: dict[str, Any]) -> None:
    address = f"/schedules/{nightly['id']}"
    asked = [("builder", {"name": "Late"}), ("administrator", {"overlap": "queue"})]
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%schedules_schedule%'"

    def change(role: str, changes: dict[str, Any]) -> int:
        try:
            return int(world.api(role).patch(address, changes).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool, superuser() as watcher:
        with superuser() as holder, holder.transaction():
            holder.execute("SELECT FROM schedules_schedule WHERE id = %s FOR UPDATE", [nightly["id"]])
            answers = [pool.submit(change, *one) for one in asked]
            until(lambda: watcher.execute(waits).fetchone() == (2,), 20, lambda: "they do not wait for the row")
        assert [one.result() for one in answers] == [200, 200]
    changed = world.api("viewer").get(address).json()
    assert (changed["name"], changed["overlap"], changed["expression"]) == ("Late", "queue", nightly["expression"])


def test_it_rests_and_goes_on(world: World, nightly: dict[str, Any]) -> None:
    api, address = world.api(), f"/schedules/{nightly['id']}"
    resting = api.post(f"{address}/disable", {"reason": "Holidays"}).json()
    assert (resting["enabled"], resting["next_at"]) == (False, None)
    assert api.post(f"{address}/disable").status_code == 409
    assert len(api.get(f"{address}/upcoming").json()["moments"]) == 10
    again = api.post(f"{address}/enable").json()
    assert (again["enabled"], again["next_at"]) == (True, nightly["next_at"])
    assert api.post(f"{address}/enable").status_code == 409


def test_by_hand_it_runs_in_the_name_of_whoever_does_it(world: World, nightly: dict[str, Any]) -> None:
    answer = world.api("operator").post(f"/schedules/{nightly['id']}/run-now")
    assert answer.status_code == 201, answer.content
    run = answer.json()
    assert (run["requester"], run["source"], run["title"]) == (
        str(world.people["operator"].id), "schedule", "Nightly",
    )  # fmt: skip
    (firing,) = world.api("viewer").get(f"/schedules/{nightly['id']}/firings").json()["items"]
    assert (firing["state"], firing["run"]) == ("started", run["id"])
    assert world.api("viewer").post(f"/schedules/{nightly['id']}/run-now").status_code == 403


def test_deleted_is_gone_and_its_runs_stay(world: World, nightly: dict[str, Any]) -> None:
    api, address = world.api(), f"/schedules/{nightly['id']}"
    run = api.post(f"{address}/run-now").json()
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404
    assert api.get(f"/runs/{run['id']}").status_code == 200
    with tenant(world.organisation.id):
        assert not Firing.objects.filter(run_id=run["id"]).exists()
        assert AuditEntry.objects.get(action="schedule.delete", target_id=nightly["id"]).details["firings"] == 1


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_only_whoever_manages_agents_makes_one(world: World, role: str) -> None:
    answer = world.api(role).post("/schedules", NIGHTLY)
    assert (answer.status_code, answer.json()["permission"]) == (403, "agent.manage")


def test_a_key_that_may_not_start_runs_makes_nothing_that_does(world: World, nightly: dict[str, Any]) -> None:
    with tenant(world.organisation.id):
        _, key = create_api_key(actor=world.shell, principal=world.people["administrator"], name="narrow",
                                scopes=("agent.manage", "agent.view", "run.view"))  # fmt: skip
    api = Api(key)
    made = api.post("/schedules", NIGHTLY)
    changed = api.patch(f"/schedules/{nightly['id']}", {"input": "Something else"})
    triggered = api.post("/triggers", {"agent": "clerk", "name": "Mail"})
    for answer in (made, changed, triggered):
        assert (answer.status_code, answer.json()["permission"]) == (403, "run.start")


def test_an_interval_and_a_single_moment(world: World) -> None:
    api, start = world.api(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    every = {"kind": "interval", "expression": "3600", "starts_at": start.isoformat()}
    interval = api.post("/schedules", NIGHTLY | every).json()
    assert datetime.fromisoformat(interval["next_at"]) == start
    once = api.post("/schedules", NIGHTLY | every | {"kind": "once", "expression": ""}).json()
    assert len(api.get(f"/schedules/{once['id']}/upcoming").json()["moments"]) == 1
