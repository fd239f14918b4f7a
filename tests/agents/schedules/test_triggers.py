"""Triggers: their secret, and their public door."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

import foundation.api.doors
from agents.registry.services import suspend_agent
from agents.runs.models import Run
from agents.schedules.calls import secret_context
from agents.schedules.models import Trigger
from foundation.api.doors import LARGEST
from foundation.api.signatures import sign
from foundation.audit.models import AuditBody, AuditEntry
from foundation.identity.services import suspend_principal
from foundation.ids import uuid7
from foundation.secrets.columns import columns
from foundation.secrets.sealing import unseal
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World, make_organisation

__all__ = ["world"]

Ring = Callable[..., Any]


@pytest.fixture
def trigger(world: World) -> dict[str, Any]:
    """A trigger with its secret, as the administrator made it."""
    answer = world.api().post("/triggers", {"agent": "clerk", "name": "Shop"})
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture(autouse=True)
def from_elsewhere() -> dict[str, str]:
    """An address of this test's own: refused calls are counted by it."""
    number = uuid7().int
    return {"REMOTE_ADDR": f"10.{number % 250}.{number // 250 % 250}.{number // 62500 % 250}"}


@pytest.fixture
def ring(trigger: dict[str, Any], from_elsewhere: dict[str, str]) -> Ring:
    """Call the trigger: signed rightly, unless something else is given."""

    def call(body: Any = None, *, secret: str = "", stamp: int | None = None, delivery: str = "",
             identifier: Any = None, **headers: str) -> Any:  # fmt: skip
        sent = body if isinstance(body, bytes) else json.dumps(body or {"order": 17}).encode()
        at = int(time.time()) if stamp is None else stamp
        signature = sign(secret or trigger["secret"], at, sent, delivery)
        given = {"Remit-Timestamp": str(at), "Remit-Signature": signature}
        if delivery:
            given["Remit-Delivery"] = delivery
        return Client().generic("POST", f"/api/v1/triggers/{identifier or trigger['id']}/call", sent,
                                content_type="application/json", headers=given | headers, **from_elsewhere)  # fmt: skip

    return call


def entries(world: World, action: str = "trigger.call") -> list[AuditEntry]:
    with tenant(world.organisation.id):
        return list(AuditEntry.objects.filter(action=action).order_by("id"))


def count_runs(world: World) -> int:
    with tenant(world.organisation.id):
        return Run.objects.filter(source="trigger").count()


def test_a_signed_call_starts_a_run_in_the_owners_name(world: World, trigger: dict[str, Any], ring: Ring) -> None:
    answer = ring({"order": 17})
    assert answer.status_code == 201, answer.content
    with tenant(world.organisation.id):
        run = Run.objects.get(pk=answer.json()["run"])
    assert (run.requester_id, run.source, run.title, run.input) == (
        world.people["administrator"].id, "trigger", "Shop", {"order": 17},
    )  # fmt: skip
    assert run.input_label == {"integrity": "untrusted", "confidentiality": run.input_label["confidentiality"],
                               "sources": ["input:trigger"]}  # fmt: skip
    (told,) = entries(world)
    assert (told.outcome, told.run_id) == ("ok", run.id)
    api = world.api("viewer")
    assert api.get(f"/triggers/{trigger['id']}").json()["called_at"] is not None
    assert [one["id"] for one in api.get(f"/triggers/{trigger['id']}/runs").json()["items"]] == [str(run.id)]


def test_text_is_an_input_too(world: World, ring: Ring) -> None:
    assert ring("Please look").status_code == 201


def test_the_same_delivery_gives_the_same_run(world: World, ring: Ring) -> None:
    at = int(time.time())
    first, second = ring(stamp=at), ring(stamp=at)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {"run": first.json()["run"], "again": True}
    assert ring({"order": 18}, stamp=at).json()["run"] != first.json()["run"]


def test_a_named_delivery_is_one_however_often_it_is_sent(world: World, ring: Ring) -> None:
    at = int(time.time())
    first, second = ring(delivery="order-17", stamp=at - 90), ring(delivery="order-17", stamp=at)
    assert first.json()["run"] == second.json()["run"]
    assert ring({"order": 18}, delivery="order-17", stamp=at).status_code == 409
    assert count_runs(world) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "guess"},
        {"stamp": 1},
        {"stamp": int(time.time()) + 3_600},
        {"Remit-Signature": ""},
        {"Remit-Signature": "v1=00"},
        {"Remit-Timestamp": "now"},
        {"Remit-Delivery": "another"},
        {"Remit-Delivery": "é"},
    ],
)
def test_what_is_not_signed_rightly_is_refused_and_recorded(world: World, ring: Ring, wrong: dict[str, Any]) -> None:
    answer = ring(**wrong)
    assert answer.status_code == 401, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Remit-Signature"
    assert world.canary not in answer.content.decode()
    assert count_runs(world) == 0
    (told,) = entries(world)
    assert (told.outcome, told.actor_kind, told.reason) == ("denied", "anonymous", answer.json()["detail"])


def test_unknown_disabled_and_deleted_look_alike(world: World, trigger: dict[str, Any], ring: Ring) -> None:
    def shown(answer: Any) -> Any:
        return answer.status_code, {**answer.json(), "request_id": ""}

    unknown = shown(ring(identifier=uuid7()))
    assert unknown[0] == 404
    world.api().post(f"/triggers/{trigger['id']}/disable")
    assert shown(ring()) == unknown
    assert shown(ring(secret="guess")) == unknown
    assert [one.outcome for one in entries(world)] == ["denied", "denied"]
    world.api().post(f"/triggers/{trigger['id']}/enable")
    assert ring().status_code == 201
    world.api().delete(f"/triggers/{trigger['id']}")
    assert shown(ring()) == unknown


@pytest.mark.parametrize("body", [b"", b"[]", b"17", b'""', b"null", b"{", b"\xff", b"[" * 50_000, b'{"a": "\\u0000"}',
                                  b'{"a": "\\ud800"}', b'{"a": NaN}',
                                  b'{"a": ' * 900 + b"1" + b"}" * 900])  # fmt: skip
def test_what_is_no_input_is_refused(world: World, ring: Ring, body: bytes) -> None:
    answer = ring(body)
    assert answer.status_code == 400, answer.content
    assert count_runs(world) == 0
    assert entries(world)[0].outcome == "denied"


def test_too_large_is_refused(world: World, ring: Ring) -> None:
    answer = ring(b'"' + b"x" * LARGEST + b'"')
    assert answer.status_code == 413
    assert entries(world)[0].outcome == "denied"


def test_refused_calls_are_counted_by_their_address(world: World, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foundation.api.doors, "PER_ADDRESS", 3)
    for _ in range(5):
        assert ring({"fresh": str(uuid7())}).status_code == 201, "what succeeds does not count"
    assert [ring(secret="guess").status_code for _ in range(3)] == [401, 401, 401]
    closed = ring()
    assert closed.status_code == 429
    assert int(closed["Retry-After"]) > 0
    assert len([one for one in entries(world) if one.outcome == "denied"]) == 3


def test_accepted_calls_of_one_trigger_have_a_limit(world: World, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foundation.api.doors, "PER_DOOR", 2)
    assert [ring({"fresh": str(uuid7())}).status_code for _ in range(4)] == [201, 201, 429, 429]
    assert count_runs(world) == 2


def test_what_comes_too_fast_but_rightly_signed_does_not_count_as_refused(
    world: World, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foundation.api.doors, "PER_DOOR", 0)
    monkeypatch.setattr(foundation.api.doors, "PER_ADDRESS", 2)
    assert [ring({"fresh": str(uuid7())}).status_code for _ in range(4)] == [429] * 4
    monkeypatch.setattr(foundation.api.doors, "PER_DOOR", 600)
    assert ring().status_code == 201, "the address is not shut out"


def test_the_owners_rights_count_at_the_call(world: World, ring: Ring) -> None:
    with tenant(world.organisation.id):
        suspend_principal(actor=world.shell, principal=world.people["administrator"], reason="Gone.")
    answer = ring()
    assert answer.status_code == 409
    assert "is suspended" in answer.json()["detail"]
    assert count_runs(world) == 0


def test_an_agent_that_rests_is_not_started(world: World, trigger: dict[str, Any], ring: Ring) -> None:
    with tenant(world.organisation.id):
        agent = Trigger.objects.get(pk=trigger["id"]).agent
        suspend_agent(actor=world.shell, agent=agent, reason="Rest.")
    answer = ring()
    assert (answer.status_code, count_runs(world)) == (409, 0), "nothing is wrong with the call"
    assert "only an active agent" in answer.json()["detail"]


def test_another_secret_ends_the_former_one(world: World, trigger: dict[str, Any], ring: Ring) -> None:
    answer = world.api("builder").post(f"/triggers/{trigger['id']}/rotate-secret")
    assert answer.status_code == 200
    fresh = answer.json()
    assert fresh["owner"]["id"] == str(world.people["builder"].id), "whoever holds the secret answers for the calls"
    assert ring().status_code == 401
    assert ring(secret=fresh["secret"]).status_code == 201


def test_the_secret_is_shown_once_and_sealed(world: World, trigger: dict[str, Any]) -> None:
    secret = trigger["secret"]
    api = world.api()
    api.patch(f"/triggers/{trigger['id']}", {"name": "Renamed"})
    for answer in (api.get(f"/triggers/{trigger['id']}"), api.get("/triggers"), api.get("/audit")):
        assert secret not in answer.content.decode()
        assert "sealed_secret" not in answer.content.decode()
    with tenant(world.organisation.id):
        row = Trigger.objects.get(pk=trigger["id"])
        assert not AuditBody.objects.filter(body__icontains=secret).exists()
    assert secret not in row.sealed_secret
    assert unseal(row.sealed_secret, context=secret_context(row.id)) == secret
    (column,) = [one for one in columns if one.model == "schedules.Trigger"]
    assert (column.field, column.context(row)) == ("sealed_secret", secret_context(row.id))


def test_the_secret_of_another_trigger_opens_nothing(world: World, ring: Ring) -> None:
    other = world.api().post("/triggers", {"agent": "clerk", "name": "Other"}).json()
    assert ring(identifier=other["id"]).status_code == 401


def test_a_caller_who_is_signed_in_elsewhere_gains_nothing(world: World, ring: Ring) -> None:
    foreign = make_organisation("foreign")
    answer = ring(secret="guess", Authorization=f"Bearer {foreign.keys['administrator']}")
    assert answer.status_code == 401
    assert ring(Authorization=f"Bearer {foreign.keys['administrator']}").status_code == 201


def test_the_door_takes_calls_only(world: World, trigger: dict[str, Any]) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = Client().generic(method, f"/api/v1/triggers/{trigger['id']}/call")
        assert answer.status_code == 405, method
    assert datetime.fromisoformat(trigger["created_at"]) <= datetime.now(UTC)
