"""The same request with the same Idempotency-Key makes one thing, however often it is sent."""

import threading
from typing import Any

from django.db import connections

from agents.runs.models import Session
from foundation.access.models import Grant
from foundation.access.services import withdraw
from foundation.api.models import Submission
from foundation.identity.models import ApiKey, Principal
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import Api, World

__all__ = ["world"]
KEY = {"Idempotency-Key": "mail-4711"}


def open_session(world: World, role: str = "operator", title: str = "One", **headers: str) -> Any:
    body = {"agent": str(world.things["agents"]), "title": title}
    return world.api(role).post("/sessions", body, **(headers or KEY))


def sessions(world: World) -> int:
    with tenant(world.organisation.id):
        return Session.objects.count()


def test_a_session_is_opened_once(world: World) -> None:
    before = sessions(world)
    first, second = open_session(world), open_session(world)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert sessions(world) == before + 1


def test_the_key_with_another_request_is_a_conflict(world: World) -> None:
    assert open_session(world).status_code == 201
    assert open_session(world, title="Two").status_code == 409
    other = world.api("operator").post("/runs", {"agent": str(world.things["agents"]), "input": "Hello"}, **KEY)
    assert other.status_code == 201, "runs have keys of their own"


def test_a_key_belongs_to_whoever_sends_it(world: World) -> None:
    first, second = open_session(world), open_session(world, "builder")
    assert first.json()["id"] != second.json()["id"]


def test_without_a_key_each_request_makes_one(world: World) -> None:
    api, body = world.api("operator"), {"agent": str(world.things["agents"])}
    assert api.post("/sessions", body).json()["id"] != api.post("/sessions", body).json()["id"]


def test_a_request_that_failed_uses_no_key_up(world: World) -> None:
    api = world.api()
    assert api.post("/services", {"name": " "}, **KEY).status_code == 400
    assert api.post("/agents", {"team": "nowhere", "slug": "x", "name": "X"}, **KEY).status_code in {400, 404}
    with tenant(world.organisation.id):
        assert not Submission.objects.exists()
    made = api.post("/services", {"name": "Robot"}, **KEY)
    assert made.status_code == 201
    assert api.post("/services", {"name": "Robot"}, **KEY).json()["id"] == made.json()["id"]


def test_a_key_is_short_and_printable(world: World) -> None:
    for key in ("", "x" * 121, "ä"):
        assert open_session(world, **{"Idempotency-Key": key}).status_code == 400, key


def test_what_is_shown_once_is_not_shown_again(world: World) -> None:
    api, body = world.api(), {"name": "Robot", "principal": str(world.things["services"])}
    with tenant(world.organisation.id):
        before = ApiKey.objects.count()
    made = api.post("/api-keys", body, **KEY).json()
    again = api.post("/api-keys", body, **KEY)
    assert again.status_code == 409
    assert made["id"] in again.json()["detail"]
    assert made["key"] not in again.content.decode()
    with tenant(world.organisation.id):
        assert ApiKey.objects.count() == before + 1


def test_what_was_made_of_something_is_found_again(world: World) -> None:
    address, body = f"/sessions/{world.things['sessions']}/files", {"name": "note.txt", "text": "Hello"}
    first, second = (world.api("operator").post(address, body, **KEY) for _ in range(2))
    assert (first.status_code, first.json()) == (201, second.json())
    fork = f"/runs/{world.things['runs']}/fork"
    ones = [world.api("operator").post(fork, {"step": 0}, **{"Idempotency-Key": "fork"}) for _ in range(2)]
    assert ones[0].status_code == 201, ones[0].content
    assert ones[0].json()["id"] == ones[1].json()["id"]


def test_whoever_may_do_it_no_more_is_not_shown_it_either(world: World) -> None:
    assert open_session(world).status_code == 201
    with tenant(world.organisation.id):
        given = Grant.objects.get(principal=world.people["operator"], target_id=world.organisation.id)
        withdraw(actor=world.shell, grant=given)
    assert open_session(world).status_code == 403


def test_what_is_gone_is_not_made_anew(world: World) -> None:
    body = {"agent": str(world.things["agents"]), "name": "Hourly", "kind": "cron", "expression": "0 * * * *",
            "input": "Hello"}  # fmt: skip
    api = world.api("builder")
    made = api.post("/schedules", body, **KEY).json()
    assert api.delete(f"/schedules/{made['id']}").status_code == 204
    assert api.post("/schedules", body, **KEY).status_code == 404


def test_of_many_at_the_same_moment_one_makes_it(world: World) -> None:
    answers: list[Any] = []
    ready = threading.Barrier(6)

    def send() -> None:
        try:
            api = Api(world.keys["administrator"])
            ready.wait()
            answers.append(api.post("/services", {"name": "Robot"}, **KEY))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.status_code for one in answers] == [201] * 6
    assert len({one.json()["id"] for one in answers}) == 1
    with tenant(world.organisation.id):
        assert Principal.objects.filter(name="Robot").count() == 1


def test_no_body_can_be_read_out_of_what_is_kept(world: World) -> None:
    body = {"name": "Shop", "secret": "hunter2"}
    assert world.api().post("/credentials", body, **KEY).status_code == 201
    with tenant(world.organisation.id):
        kept = Submission.objects.get()
    assert "hunter2" not in f"{kept.digest}{kept.key}{kept.model}"
    assert len(kept.digest) == 64
