"""Delegations of one answer run side by side, and their parent is woken by the last of them."""

import threading
from typing import Any

import pytest
from django.db import connections

from agents.runs.engine import advance
from agents.runs.models import Run, RunState, StepKind, StepState
from agents.runs.services import cancel_run
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve


def children_of(house: Any, run: Any) -> list[Run]:
    """The runs below, in the order in which they began."""
    with house.in_tenant():
        return list(Run.objects.filter(parent_id=run.pk).order_by("id"))


@pytest.fixture
def team(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> Any:
    """A run that has given work to three agents in one answer, and waits."""
    for slug in ("red", "green", "blue"):
        add_agent(slug, [])
        house.model.answers[slug] = [say(f"{slug} is done")]
    equip(house, "witness.read", delegates=["red", "green", "blue"])
    tasks = [part for slug in ("red", "green", "blue") for part in call(f"delegate.{slug}", task=slug)]
    house.model.answers["worker"] = [tasks, say("All done.")]
    run = house.start()
    bells = advance(run.id)
    run = house.read(run)
    assert (run.state, run.waits_for, run.waits_on) == (RunState.WAITING, "child", run.id), run.failure
    assert sorted(bells) == [child.id for child in children_of(house, run)]
    return run


def test_all_begin_before_any_is_awaited(house: Any, team: Any) -> None:
    steps = house.steps(team)
    assert [(step.kind, step.state) for step in steps[1:]] == [(StepKind.DELEGATION, StepState.WAITING)] * 3
    assert house.events(team).count("run.waiting") == 1
    assert [child.state for child in children_of(house, team)] == [RunState.QUEUED] * 3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_last_one_wakes_the_parent(house: Any, team: Any, order: tuple[int, ...]) -> None:
    children = children_of(house, team)
    for place in order[:2]:
        assert advance(children[place].id) == []
        assert house.read(team).state == RunState.WAITING
    assert advance(children[order[2]].id) == [team.id]
    run = house.run(team)
    assert run.state == RunState.SUCCEEDED, run.failure
    outputs = [item["output"] for item in house.model.asked[-1]["input"] if item.get("type") == "function_call_output"]
    assert ["red" in outputs[0], "green" in outputs[1], "blue" in outputs[2]] == [True] * 3, "in the order of the calls"


def test_ending_at_the_same_moment_they_wake_it_once(house: Any, team: Any) -> None:
    children, woken, together = children_of(house, team), [], threading.Barrier(3)

    def work(child: Run) -> None:
        try:
            together.wait()
            woken.extend(advance(child.id))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(child,)) for child in children]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert woken == [team.id], "whoever is the last wakes it, and nobody else"
    assert house.run(team).state == RunState.SUCCEEDED


def test_one_that_fails_does_not_spoil_the_others(house: Any, say: Any, team: Any) -> None:
    green = children_of(house, team)[1]
    with house.in_tenant():
        cancel_run(actor=house.owner, run=green)
    for child in children_of(house, team):
        advance(child.id)
    run = house.run(team)
    assert run.state == RunState.SUCCEEDED, run.failure
    states = [step.state for step in house.steps(run) if step.kind == StepKind.DELEGATION]
    assert states == [StepState.SUCCEEDED, StepState.FAILED, StepState.SUCCEEDED]


def test_cancelling_the_parent_reaches_all_of_them(house: Any, team: Any) -> None:
    children = children_of(house, team)
    advance(children[0].id)
    with house.in_tenant():
        cancel_run(actor=house.owner, run=team)
    assert house.run(team).state == RunState.CANCELLED
    assert [child.state for child in children_of(house, team)] == [
        RunState.SUCCEEDED, RunState.CANCELLED, RunState.CANCELLED,
    ]  # fmt: skip
    assert {step.state for step in house.steps(team)[1:]} == {StepState.FAILED}


def test_the_fan_out_has_a_ceiling(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> None:
    add_agent("red", [])
    house.model.answers["red"] = [say("done")]
    equip(house, delegates=["red"], max_children=2)
    house.model.answers["worker"] = [[part for _ in range(3) for part in call("delegate.red", task="x")], say("So.")]
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    refused = house.steps(run)[3]
    assert (refused.state, len(children_of(house, run))) == (StepState.REFUSED, 2)
    assert "delegated 2 times" in refused.error
    assert refused.error in house.model.asked[-1]["input"][-1]["output"]


def test_another_call_waits_for_the_delegations_before_it(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    add_agent("red", [])
    house.model.answers["red"] = [say("done")]
    equip(house, "witness.idempotent", delegates=["red"])
    house.model.answers["worker"] = [
        [*call("delegate.red", task="x"), *call("witness.idempotent", note="after"), *call("delegate.red", task="y")],
        say("So."),
    ]
    run = house.start()
    advance(run.id)
    assert house.lines() == []
    assert len(children_of(house, run)) == 1
    run = house.run(children_of(house, run)[0]) and house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    kinds = [step.kind for step in house.steps(run)]
    assert kinds == ["model_call", "delegation", "tool_call", "delegation", "model_call"]


def test_an_approval_of_one_does_not_hold_up_the_others(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    for slug in ("red", "green"):
        add_agent(slug, [])
        house.model.answers[slug] = [say(f"{slug} is done")]
    equip(house, delegates=["red", "green"])
    house.policy(
        "careful",
        '@id("careful") @ask("May green work?") @approvers("operator") @quorum("1") @expires("1h") @risk("low")\n'
        'forbid (principal, action == Action::"delegation", resource == Agent::"green") unless { context.approved };',
    )
    tasks = [*call("delegate.red", task="x"), *call("delegate.green", task="y")]
    house.model.answers["worker"] = [tasks, say("Both.")]
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "approval"), run.failure
    assert [child.state for child in children_of(house, run)] == [RunState.SUCCEEDED], "red did not wait for the answer"
    with house.in_tenant():
        request = ApprovalRequest.objects.get(run_id=run.id)
        approve(actor=house.approver, request=request, digest=request.digest)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    outcomes = [step.output for step in house.steps(run) if step.kind == StepKind.DELEGATION]
    assert outcomes == [{"text": "red is done"}, {"text": "green is done"}]


def test_while_the_parent_asks_its_model_again_it_holds_no_connection(
    house: Any, team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where connections come from a pool, one that is held meanwhile is one that others miss."""
    for child in children_of(house, team):
        advance(child.id)
    ours, real, held = connections["engine"], house.model.answer, []
    monkeypatch.setitem(ours.settings_dict, "CONN_MAX_AGE", 0)

    def answer(request: dict[str, Any]) -> Any:
        held.append(ours.connection)
        return real(request)

    house.model.answer = answer
    assert house.run(team).state == RunState.SUCCEEDED
    assert held == [None]
