"""Steering runs in the console: pause, resume, fork, retry, replay, and two runs side by side."""

from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version
from agents.runs.models import Relation, Run, Step
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def ended(world: World, state: str = "failed", **of_step: Any) -> Any:
    """The run, ended, with its step done."""
    run = world.things["runs"]
    values = {"state": "succeeded", "effect": "read", "output": {"found": 1}, "ended_at": "2026-01-01T00:00Z"}
    Step.objects.using("engine").filter(run_id=run).update(**values | of_step)
    Run.objects.using("engine").filter(pk=run).update(
        state=state, failure="x" if state == "failed" else "", ended_at="2026-01-01T00:00Z", steps_written=1
    )
    return run


def made_of(world: World, run: Any) -> Run:
    with tenant(world.organisation.id):
        return Run.objects.get(former_id=run)


def test_a_run_is_paused_and_goes_on(world: World, visit: Visit):
    run = world.things["runs"]
    assert visit(f"/runs/{run}/pause/", "operator", form={}).status_code == 303
    page = visit(f"/runs/{run}/", "operator").content.decode()
    assert "It is paused" in page
    assert f"/runs/{run}/resume/" in page
    assert visit(f"/runs/{run}/resume/", "operator", form={}).status_code == 303
    assert "It is paused" not in visit(f"/runs/{run}/", "operator").content.decode()


def test_a_fork_shares_the_journal_and_is_found_from_both_sides(world: World, visit: Visit):
    run = ended(world)
    answer = visit(f"/runs/{run}/fork?step=1", "operator", form={"step": "1", "version": "1", "input": ""})
    made = made_of(world, run)
    assert answer["Location"] == f"/runs/{made.id}/"
    assert (made.relation, made.former_step) == (Relation.FORK, 1)
    assert "Forked into" in visit(f"/runs/{run}/").content.decode()
    assert "Forked from" in visit(f"/runs/{made.id}/").content.decode()
    page = visit(f"/runs/{run}/compare/{made.id}/").content.decode()
    assert "Same trace" in page


def test_another_input_is_for_the_beginning_only(world: World, visit: Visit):
    run = ended(world)
    answer = visit(f"/runs/{run}/fork", "operator", form={"step": "1", "version": "1", "input": "Else"})
    assert answer.status_code == 422
    visit(f"/runs/{run}/fork", "operator", form={"step": "0", "version": "1", "input": "Else"})
    assert made_of(world, run).input == "Else"


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "5", "null", '{"a": ' + "[" * 400 + "]" * 400 + "}"])
def test_another_input_of_a_run_that_takes_an_object_is_an_object(world: World, visit: Visit, text: str):
    run = ended(world)
    Run.objects.using("engine").filter(pk=run).update(input={"mail": "x"})
    answer = visit(f"/runs/{run}/fork", "operator", form={"step": "0", "version": "1", "input": text})
    assert answer.status_code == 422
    with tenant(world.organisation.id):
        assert not Run.objects.filter(former_id=run).exists()


def test_a_retry_is_offered_from_the_step_that_failed(world: World, visit: Visit):
    run = ended(world, output=None, state="failed")
    Step.objects.using("engine").filter(run_id=run).update(state="failed")
    assert 'value="1"' in visit(f"/runs/{run}/retry", "operator").content.decode()
    visit(f"/runs/{run}/retry", "operator", form={"step": "1", "reason": "Once more"})
    assert made_of(world, run).source == "retry"
    again = visit(f"/runs/{run}/retry", "operator", form={"step": "1", "reason": ""})
    assert again.status_code == 422
    assert "retried already" in again.content.decode()


def test_a_replay_says_whether_it_came_to_the_same(world: World, visit: Visit):
    run = ended(world)
    assert visit(f"/runs/{run}/replay", "operator", form={"version": "record"}).status_code == 303
    made = made_of(world, run)
    assert made.relation == Relation.REPLAY
    Run.objects.using("engine").filter(pk=made.pk).update(state="failed", ended_at="2026-01-01T00:00Z")
    assert "differs from step 1" in visit(f"/runs/{made.id}/").content.decode()
    page = visit(f"/runs/{run}/compare/{made.id}/").content.decode()
    assert 'id="first-difference"' in page
    assert "No such step" in page


@pytest.mark.parametrize("page", ["fork", "replay"])
def test_only_versions_that_one_may_let_go_on_are_offered(world: World, visit: Visit, page: str):
    run = ended(world)
    with tenant(world.organisation.id):
        agent = Agent.objects.get(slug="clerk")
        publish_version(
            actor=world.shell, agent=agent, instructions="Otherwise.", language_model=agent.serving.language_model,
            tools=[], delegates=[], max_steps=4, max_seconds=60, max_output_tokens=10, run_budget=7, note="",
        )  # fmt: skip
    assert 'value="2"' in visit(f"/runs/{run}/{page}", "builder").content.decode()
    shown = visit(f"/runs/{run}/{page}", "operator").content.decode()
    assert ('value="1"' in shown, 'value="2"' in shown) == (True, False)
    form = {"step": "0", "version": "2", "input": ""}
    assert visit(f"/runs/{run}/{page}", "operator", form=form).status_code == 422
    with tenant(world.organisation.id):
        assert not Run.objects.filter(former_id=run).exists()
