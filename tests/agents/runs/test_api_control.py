"""Steering runs over REST."""

from typing import Any

import pytest

from agents.registry.models import Agent, AgentVersion
from agents.registry.services import publish_version, serve_version
from agents.runs.models import Run, RunState, Step, StepState
from foundation.audit.models import AuditEntry
from foundation.identity.services import create_api_key
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import Api, World

__all__ = ["world"]


def end(world: World, state: str = RunState.FAILED) -> None:
    """The world's run has ended; its one step was refused."""
    with tenant(world.organisation.id):
        run = world.things["runs"]
        Run.objects.filter(pk=run).update(state=state, ended_at="2026-01-01T00:00Z", steps_written=1)
        Step.objects.filter(run_id=run).update(state=StepState.REFUSED, error="No.", ended_at="2026-01-01T00:00Z")


def test_a_run_is_paused_and_resumed(world: World) -> None:
    api, run = world.api("operator"), world.things["runs"]
    paused = api.post(f"/runs/{run}/pause", {"reason": "Let me look."}).json()
    assert (paused["pause_requested"], paused["state"], paused["waits_for"]) == (True, "waiting", "pause")
    assert api.post(f"/runs/{run}/pause").status_code == 409
    resumed = api.post(f"/runs/{run}/resume").json()
    assert (resumed["pause_requested"], resumed["state"]) == (False, "queued")
    answer = api.post(f"/runs/{run}/resume")
    assert (answer.status_code, "not paused" in answer.content.decode()) == (409, True)


def publish(world: World) -> None:
    """Version 2 of the run's agent; version 1 still serves."""
    with tenant(world.organisation.id):
        agent = Agent.objects.get(slug="clerk")
        publish_version(
            actor=world.shell, agent=agent, instructions="Otherwise.", language_model=agent.serving.language_model,
            tools=[], delegates=[], max_steps=4, max_seconds=60, max_output_tokens=10, run_budget=7, note="",
        )  # fmt: skip


def serve(world: World) -> None:
    with tenant(world.organisation.id):
        agent = Agent.objects.get(slug="clerk")
        serve_version(actor=world.shell, agent=agent, version=AgentVersion.objects.get(agent=agent, number=2))


def test_a_run_is_forked_at_its_beginning_and_with_another_version(world: World) -> None:
    api, run = world.api("operator"), world.things["runs"]
    publish(world)
    serve(world)
    made = api.post(f"/runs/{run}/fork", {"step": 0, "version": 2, "input": "Else"})
    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["former"], shown["relation"], shown["former_step"]) == (str(run), "fork", 0)
    assert (shown["version"], shown["input"], shown["source"]) == (2, "Else", "fork")
    for query, found in ((f"former={run}", [shown["id"]]), (f"former={run}&relation=handover", [])):
        assert [one["id"] for one in api.get(f"/runs?{query}").json()["items"]] == found


@pytest.mark.parametrize(
    ("body", "field"),
    [({"step": -1}, "step"), ({}, "step"), ({"step": 9}, "step"), ({"step": 0, "version": 9}, "version"),
     ({"step": 0, "input": 7}, "input"), ({"step": 0, "other": 1}, "other")],
)  # fmt: skip
def test_a_fork_says_what_is_wrong(world: World, body: dict[str, Any], field: str) -> None:
    answer = world.api("operator").post(f"/runs/{world.things['runs']}/fork", body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_a_fork_of_an_unfinished_step_is_a_conflict(world: World) -> None:
    answer = world.api("operator").post(f"/runs/{world.things['runs']}/fork", {"step": 1})
    assert (answer.status_code, "has not ended" in answer.content.decode()) == (409, True)


def test_a_run_is_retried_and_replayed_when_it_has_ended(world: World) -> None:
    api, run = world.api("operator"), world.things["runs"]
    assert api.post(f"/runs/{run}/retry", {"step": 1}).status_code == 409
    assert api.post(f"/runs/{run}/replay").status_code == 409
    end(world)
    retried = api.post(f"/runs/{run}/retry", {"step": 1, "reason": "Again."})
    assert (retried.status_code, retried.json()["source"]) == (201, "retry")
    replayed = api.post(f"/runs/{run}/replay")
    assert (replayed.status_code, replayed.json()["stubs_tools"]) == (201, True)
    assert api.post(f"/runs/{run}/replay", {"version": 9}).status_code == 400
    made = [retried.json()["id"], replayed.json()["id"]]
    assert [one["id"] for one in api.get(f"/runs?former={run}").json()["items"]] == made[::-1]
    assert [one["id"] for one in api.get(f"/runs?former={run}&relation=replay").json()["items"]] == made[1:]


def test_a_trace_has_a_hash_and_two_runs_are_compared(world: World) -> None:
    end(world)
    run = world.things["runs"]
    other = world.api("operator").post(f"/runs/{run}/fork", {"step": 0}).json()["id"]
    api = world.api("viewer")
    hashes = [api.get(f"/runs/{one}/trace").json()["hash"] for one in (run, other)]
    assert len(set(hashes)) == 2
    found = api.get(f"/runs/{run}/compare/{other}").json()
    assert (found["one"]["id"], found["other"]["id"], found["hashes"]) == (str(run), other, hashes)
    assert (found["is_same"], found["first_difference"]) == (False, 0)
    assert (found["pairs"][0]["one"]["name"], found["pairs"][0]["other"]) == ("papers.search", None)
    assert [one["steps"] for one in found["totals"]] == [1, 0]
    assert api.get(f"/runs/{run}/compare/{run}").json()["is_same"] is True


def test_nobody_compares_with_what_is_not_theirs(world: World) -> None:
    run = world.things["runs"]
    unknown = "01890000-0000-7000-8000-000000000000"
    assert world.api("viewer").get(f"/runs/{run}/compare/{unknown}").status_code == 404
    assert world.api("viewer").get(f"/runs/{run}/compare/x").status_code == 404


@pytest.mark.parametrize("verb", ["fork", "replay"])
def test_a_version_that_does_not_serve_is_for_whoever_manages_the_agent(world: World, verb: str) -> None:
    end(world)
    publish(world)
    path, body = f"/runs/{world.things['runs']}/{verb}", {"version": 2} | ({"step": 0} if verb == "fork" else {})
    refused = world.api("operator").post(path, body)
    assert (refused.status_code, refused.json()["permission"]) == (403, "agent.manage")
    with tenant(world.organisation.id):
        assert not Run.objects.filter(former_id=world.things["runs"]).exists()
        told = AuditEntry.objects.filter(outcome="denied").latest("id")
    assert "agent.manage" in told.reason
    assert world.api("builder").post(path, body).status_code == 201
    assert world.api("operator").post(path, {**body, "version": 1}).status_code == 201, "its own"
    serve(world)
    assert world.api("operator").post(path, body).status_code == 201, "a new run would work with it, too"


@pytest.mark.parametrize("verb", ["fork", "replay"])
def test_the_serving_version_is_for_whoever_starts_runs(world: World, verb: str) -> None:
    end(world)
    publish(world)
    serve(world)
    path, body = f"/runs/{world.things['runs']}/{verb}", {"version": 2} | ({"step": 0} if verb == "fork" else {})
    with tenant(world.organisation.id):
        _, key = create_api_key(actor=world.shell, principal=world.people["operator"], name="steers",
                                scopes=("run.view", "run.control"))  # fmt: skip
    api = Api(key)
    refused = api.post(path, body)
    assert (refused.status_code, refused.json()["permission"]) == (403, "run.start")
    assert api.post(path, {**body, "version": None}).status_code == 201


@pytest.mark.parametrize("verb", ["pause", "resume", "fork", "retry", "replay"])
def test_a_viewer_steers_nothing(world: World, verb: str) -> None:
    answer = world.api("viewer").post(f"/runs/{world.things['runs']}/{verb}", {"step": 1})
    assert (answer.status_code, answer.json()["permission"]) == (403, "run.control")
