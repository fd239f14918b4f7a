"""Runs over REST: started once, read whole, cancelled."""

import pytest
from django.db.models.functions import Now

from agents.runs.models import Event, Run, RunState, Session, Step
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]
HELLO = {"agent": "clerk", "input": "Hello"}


def test_a_run_is_queued(world: World) -> None:
    answer = world.api("operator").post("/runs", HELLO | {"title": "Greeting"})
    assert answer.status_code == 201
    run = answer.json()
    assert (run["state"], run["title"], run["input"], run["source"]) == ("queued", "Greeting", "Hello", "api")
    assert run["requester"] == str(world.people["operator"].id)
    assert run["chain"] == [str(world.people["operator"].id)]


def test_the_same_key_starts_the_same_run(world: World) -> None:
    api = world.api("operator")
    first = api.post("/runs", HELLO, **{"Idempotency-Key": "mail-7"}).json()
    again = api.post("/runs", HELLO, **{"Idempotency-Key": "mail-7"}).json()
    assert first["id"] == again["id"]
    assert first["submission"] == "mail-7"
    with tenant(world.organisation.id):
        assert Run.objects.filter(submission="mail-7").count() == 1


def test_the_same_key_for_other_work_or_by_others_is_a_conflict_and_shows_nothing(world: World) -> None:
    world.api("operator").post("/runs", HELLO, **{"Idempotency-Key": "mail-7"})
    for given in (HELLO, HELLO | {"input": "Other"}):
        answer = world.api("builder").post("/runs", given, **{"Idempotency-Key": "mail-7"})
        assert answer.status_code == 409, "whoever guesses another's input is not told that it is right"
        assert "Hello" not in answer.content.decode()


@pytest.mark.parametrize("key", ["", "x" * 121, "ü", "schedule:x", "trigger:x"])
def test_a_key_that_cannot_be_kept_is_refused(world: World, key: str) -> None:
    assert world.api("operator").post("/runs", HELLO, **{"Idempotency-Key": key}).status_code == 400


def test_a_number_that_few_programs_can_read_is_refused(world: World) -> None:
    answer = world.api("operator").post("/runs", HELLO | {"input": {"deep": [{"n": 10**400}]}})
    assert answer.status_code == 400
    assert "more than 308 digits" in answer.content.decode()


@pytest.mark.parametrize("value", ["", "  ", 7, None, [], ["a"]])
def test_input_is_text_or_an_object(world: World, value: object) -> None:
    answer = world.api("operator").post("/runs", {"agent": "clerk", "input": value})
    assert answer.status_code == 400
    assert "input" in answer.json()["errors"]


def test_an_agent_that_is_suspended_starts_nothing(world: World) -> None:
    world.api().post("/agents/clerk/suspend", {"reason": "A pause."})
    assert world.api("operator").post("/runs", HELLO).status_code == 400


def test_a_viewer_reads_and_does_not_start(world: World) -> None:
    answer = world.api("viewer").post("/runs", HELLO)
    assert (answer.status_code, answer.json()["permission"]) == (403, "run.start")


def test_a_run_is_asked_to_end(world: World) -> None:
    api, run = world.api("operator"), world.things["runs"]
    assert api.post(f"/runs/{run}/cancel", {"reason": "Enough."}).json()["cancel_requested"] is True
    with tenant(world.organisation.id):
        Run.objects.filter(pk=run).update(state=RunState.CANCELLED, ended_at="2026-01-01T00:00:00Z")
    assert api.post(f"/runs/{run}/cancel").status_code == 409


def test_steps_and_events_come_in_order(world: World) -> None:
    api, run = world.api("viewer"), world.things["runs"]
    steps = api.get(f"/runs/{run}/steps").json()["items"]
    assert [(step["number"], step["name"]) for step in steps] == [(1, "papers.search")]
    with tenant(world.organisation.id):
        for number in (2, 3):
            Event.objects.create(run_id=run, number=number, organisation=world.organisation, kind="run.started")
    page = api.get(f"/runs/{run}/events?limit=2").json()
    assert [event["number"] for event in page["items"]] == [1, 2]
    assert [event["number"] for event in api.get(page["next"]).json()["items"]] == [3]
    assert api.get(f"/runs/{run}/events?after=x").status_code == 400


def test_a_session_shows_its_agent(world: World) -> None:
    with tenant(world.organisation.id):
        session = Session.objects.get(pk=world.things["sessions"])
    shown = world.api("viewer").get(f"/sessions/{session.id}").json()
    assert (shown["agent"]["slug"], shown["version"], shown["state"]) == ("clerk", 1, "open")


def test_a_step_that_is_not_in_doubt_takes_no_word(world: World) -> None:
    body = {"step": 1, "outcome": "done", "evidence": "The ledger says so."}
    assert world.api("operator").post(f"/runs/{world.things['runs']}/resolve-unknown", body).status_code == 409


def test_a_run_that_has_ended_takes_a_word_but_does_nothing_again(world: World) -> None:
    run = world.things["runs"]
    Step.objects.using("engine").filter(run_id=run).update(state="unknown")
    Run.objects.using("engine").filter(pk=run).update(state="failed", waits_for="", ended_at=Now())
    api, body = world.api("operator"), {"step": 1, "evidence": "The ledger has nothing."}
    refused = api.post(f"/runs/{run}/resolve-unknown", body | {"outcome": "retry"})
    assert (refused.status_code, "has ended" in refused.content.decode()) == (409, True)
    kept = api.post(f"/runs/{run}/resolve-unknown", body | {"outcome": "failed"})
    assert (kept.status_code, kept.json()["state"]) == (200, "failed")
    assert api.get(f"/runs/{run}/steps").json()["items"][0]["state"] == "failed"
