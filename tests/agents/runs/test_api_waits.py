"""Questions and callbacks over REST; the public door for calls from outside."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.runs.models import Callback, InputRequest, InputState
from foundation.api.signatures import sign
from foundation.audit.models import AuditEntry
from foundation.identity.services import create_api_key
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.foundation.api.world import Api, World, furnish, make_organisation


@pytest.fixture
def world(database: Any) -> World:
    """A furnished organisation."""
    return furnish(make_organisation("waits"))


def door(world: World) -> str:
    """The address of the callback."""
    return f"/api/v1/callbacks/{world.things['callbacks']}/call"


def signed(secret: str, body: str) -> dict[str, str]:
    """The headers of a good call."""
    now = int(time.time())
    return {"Remit-Timestamp": str(now), "Remit-Signature": sign(secret, now, body.encode())}


def test_a_question_is_listed_read_and_answered(world: World) -> None:
    address = f"/questions/{world.things['questions']}"
    listed = world.api("viewer").get("/questions?state=open").json()["items"]
    assert [one["id"] for one in listed] == [str(world.things["questions"])]
    assert world.api("operator").get(address).json()["schema"]["required"] == ["answer"]
    assert world.api("viewer").post(f"{address}/answer", {"answer": {"answer": "Yes."}}).status_code == 403
    wrong = world.api("operator").post(f"{address}/answer", {"answer": {"answer": 1}})
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["answer"])
    given = world.api("operator").post(f"{address}/answer", {"answer": {"answer": "Yes."}})
    assert given.status_code == 200, given.content
    assert given.json()["state"] == "answered"
    assert world.api("auditor").get(address).json()["answer"] == {"answer": "Yes."}
    assert world.api("operator").post(f"{address}/answer", {"answer": {"answer": "No."}}).status_code == 409
    with tenant(world.organisation.id):
        assert InputRequest.objects.get(pk=world.things["questions"]).state == InputState.ANSWERED


def test_a_service_does_not_answer_for_people(world: World) -> None:
    with tenant(world.organisation.id):
        _, key = create_api_key(
            actor=world.shell, principal=world.people["administrator"], name="only reads", scopes=("run.view",)
        )
    answer = Api(key).post(f"/questions/{world.things['questions']}/answer", {"answer": {"answer": "Yes."}})
    assert answer.status_code == 403


def test_the_secret_is_shown_to_who_controls_runs_and_recorded(world: World) -> None:
    address = f"/callbacks/{world.things['callbacks']}"
    seen = world.api("viewer").get(address)
    assert seen.status_code == 200
    assert seen.json()["address"].endswith(door(world))
    assert "secret" not in seen.json()
    assert world.api("viewer").post(f"{address}/secret").status_code == 403
    shown = world.api("operator").post(f"{address}/secret")
    assert shown.json() == {"secret": f"secret-{world.canary}"}
    assert shown["Cache-Control"] == "no-store"
    with tenant(world.organisation.id):
        assert AuditEntry.objects.filter(action="callback.show_secret").count() == 1


def test_the_door_opens_for_a_signature_once(world: World) -> None:
    body, nobody = json.dumps({"parcel": 17}), Api()
    headers = signed(f"secret-{world.canary}", body)
    answer = nobody.call("POST", door(world), body, **headers)
    assert answer.status_code == 204, answer.content
    assert nobody.call("POST", door(world), body, **headers).status_code == 409
    seen = world.api("auditor").get(f"/callbacks/{world.things['callbacks']}").json()
    assert seen["payload"] == {"parcel": 17}
    assert seen["received_at"]


def test_without_one_it_stays_closed_and_that_is_recorded(world: World) -> None:
    for headers in ({}, signed("guessed", "{}"), {"Authorization": f"Bearer {world.keys['administrator']}"}):
        answer = Api().call("POST", door(world), "{}", **headers)
        assert answer.status_code == 401, answer.content
        assert world.canary not in answer.content.decode()
    assert Api().call("POST", f"/api/v1/callbacks/{uuid7()}/call", "{}", **signed("x", "{}")).status_code == 404
    with tenant(world.organisation.id):
        refused = AuditEntry.objects.filter(action="callback.call", outcome="denied")
        assert refused.count() == 3
        assert Callback.objects.get(pk=world.things["callbacks"]).received_at is None


def test_too_late_and_too_large(world: World) -> None:
    large = '"' + "x" * 300_000 + '"'
    secret = f"secret-{world.canary}"
    assert Api().call("POST", door(world), large, **signed(secret, large)).status_code == 400
    with tenant(world.organisation.id):
        Callback.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    late = Api().call("POST", door(world), "{}", **signed(secret, "{}"))
    assert late.status_code == 409
    assert "Nothing waits" in late.json()["detail"]


def test_guessing_is_slowed_down(world: World) -> None:
    codes = [Api().call("POST", door(world), "{}", **signed("guessed", "{}")).status_code for _ in range(61)]
    assert codes[0] == 401
    assert codes[-1] == 429
