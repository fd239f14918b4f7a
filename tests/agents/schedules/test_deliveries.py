"""One delivery is one run, and is told so: sent twice at once, or again when its trigger has another owner."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from agents.runs.models import Run
from foundation.api.signatures import sign
from foundation.audit.models import AuditEntry
from foundation.identity.services import suspend_principal
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]


@pytest.fixture
def trigger(world: World) -> dict[str, Any]:
    """A trigger with its secret, as the administrator made it."""
    made: dict[str, Any] = world.api().post("/triggers", {"agent": "clerk", "name": "Shop"}).json()
    return made


def deliver(trigger: dict[str, Any], secret: str = "", delivery: str = "order-17", order: int = 17) -> Any:
    """Send an order under a name, signed."""
    body, at, number = json.dumps({"order": order}).encode(), int(time.time()), uuid7().int
    headers = {"Remit-Timestamp": str(at), "Remit-Delivery": delivery,
               "Remit-Signature": sign(secret or trigger["secret"], at, body, delivery)}  # fmt: skip
    return Client().generic("POST", f"/api/v1/triggers/{trigger['id']}/call", body, content_type="application/json",
                            headers=headers, REMOTE_ADDR=f"10.{number % 250}.{number // 250 % 250}.1")  # fmt: skip


def count_runs(world: World) -> int:
    with tenant(world.organisation.id):
        return Run.objects.filter(source="trigger").count()


def test_of_deliveries_at_the_same_moment_one_starts_the_run_and_the_others_say_again(
    world: World, trigger: dict[str, Any]
) -> None:
    many, rounds = 4, 5
    together = threading.Barrier(many)

    def send(delivery: str) -> Any:
        try:
            together.wait(30)
            return deliver(trigger, delivery=delivery)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(many) as pool:
        for number in range(rounds):
            answers = list(pool.map(send, [f"order-{number}"] * many))
            assert len({one.json()["run"] for one in answers}) == 1
            assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
            assert sorted(one.json()["again"] for one in answers) == [False, True, True, True]
    assert count_runs(world) == rounds
    with tenant(world.organisation.id):
        told = [entry.details["again"] for entry in AuditEntry.objects.filter(action="trigger.call", outcome="ok")]
    assert told.count(False) == rounds


def test_a_delivery_is_the_same_when_the_trigger_has_another_owner(world: World, trigger: dict[str, Any]) -> None:
    first = deliver(trigger)
    fresh = world.api("builder").post(f"/triggers/{trigger['id']}/rotate-secret").json()
    again = deliver(trigger, fresh["secret"])
    assert (again.status_code, again.json()) == (200, {"run": first.json()["run"], "again": True})
    assert deliver(trigger, fresh["secret"], order=18).status_code == 409, "another body is none"
    assert count_runs(world) == 1


def test_a_delivery_that_has_started_its_run_says_so_when_no_other_would_start(
    world: World, trigger: dict[str, Any]
) -> None:
    first = deliver(trigger)
    with tenant(world.organisation.id):
        suspend_principal(actor=world.shell, principal=world.people["administrator"], reason="Gone.")
    again = deliver(trigger)
    assert (again.status_code, again.json()) == (200, {"run": first.json()["run"], "again": True})
    assert deliver(trigger, delivery="order-18").status_code == 409
    assert count_runs(world) == 1
