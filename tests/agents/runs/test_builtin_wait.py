"""`remit.wait`: time passes in the database, and nowhere else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.runs.models import Run, RunState, Step, StepKind, StepState
from agents.tools.builtins import BUILTIN_TOOLS


def pass_time(house: Any, run: Any, seconds: float) -> None:
    """As if so much time had gone by for a waiting run."""
    with house.in_tenant():
        found = Run.objects.get(pk=run.pk)
        for step in Step.objects.filter(run_id=run.pk, state=StepState.WAITING):
            until = datetime.fromisoformat(step.output["until"]) - timedelta(seconds=seconds)
            Step.objects.filter(run_id=run.pk, number=step.number).update(output={"until": until.isoformat()})
        Run.objects.filter(pk=run.pk).update(wake_at=found.wake_at - timedelta(seconds=seconds))


def test_a_run_waits_and_goes_on(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.wait")
    house.model.answers = {"worker": [call("remit.wait", seconds=600), say("Done.")]}
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "timer")
    assert run.wake_at - datetime.now(UTC) > timedelta(seconds=500)
    step = house.steps(run)[1]
    assert (step.kind, step.state, step.name) == (StepKind.TOOL_CALL, StepState.WAITING, "remit.wait")
    assert step.decision_id is not None
    assert house.run(run).state == RunState.WAITING, "nothing moves before it is time"
    pass_time(house, run, 601)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert house.steps(run)[1].state == StepState.SUCCEEDED
    assert "waited_until" in house.model.asked[-1]["input"][-1]["output"]


def test_woken_too_early_it_waits_for_the_rest(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.wait")
    house.model.answers = {"worker": [call("remit.wait", seconds=600), say("Done.")]}
    run = house.run(house.start())
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(wake_at=datetime.now(UTC) - timedelta(seconds=1))
    again = house.run(run)
    assert (again.state, again.waits_for) == (RunState.WAITING, "timer")
    assert abs((again.wake_at - run.wake_at).total_seconds()) < 1


def test_a_moment_gone_by_is_no_wait(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.wait")
    house.model.answers = {"worker": [call("remit.wait", until="2020-01-01T00:00:00+01:00"), say("Done.")]}
    assert house.run(house.start()).state == RunState.SUCCEEDED


@pytest.mark.parametrize(
    "arguments", [{}, {"seconds": 5, "until": "2030-01-01T00:00:00Z"}, {"until": "tomorrow"}, {"seconds": 0},
                  {"until": "2030-01-01T00:00:00"}, {"seconds": 10**9}],
)  # fmt: skip
def test_what_is_no_wait_is_refused(house: Any, say: Any, call: Any, equip: Any, arguments: Any) -> None:
    equip(house, "remit.wait")
    house.model.answers = {"worker": [call("remit.wait", **arguments), say("Sorry.")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED
    assert house.steps(run)[1].state == StepState.REFUSED


def test_only_a_version_that_lists_it_has_it(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("remit.wait", seconds=1), say("Sorry.")]}
    run = house.run(house.start())
    assert house.steps(run)[1].state == StepState.REFUSED
    assert "remit__wait" not in [tool["name"] for tool in house.model.asked[0].get("tools", [])]
    assert all(name.startswith("remit.") for name in BUILTIN_TOOLS)


def test_a_policy_forbids_it_like_any_tool(make_house: Any, say: Any, call: Any, equip: Any) -> None:
    house = make_house(
        '@id("allow") permit (principal, action, resource);\n'
        '@id("never") forbid (principal, action == Action::"remit.wait", resource)\n'
        "when { context.args has seconds && context.args.seconds > 60 };"
    )
    equip(house, "remit.wait")
    house.model.answers = {"worker": [call("remit.wait", seconds=61), say("No.")]}
    run = house.run(house.start())
    assert "never" in house.steps(run)[1].error


def test_the_time_limit_ends_the_wait(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.wait", max_seconds=60)
    house.model.answers = {"worker": [call("remit.wait", seconds=600), say("Done.")]}
    run = house.run(house.start())
    assert run.wake_at == run.deadline
    with house.in_tenant():
        gone = datetime.now(UTC) - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(wake_at=gone, deadline=gone)
    run = house.run(run)
    assert run.state == RunState.EXPIRED
    assert house.steps(run)[1].state == StepState.FAILED
