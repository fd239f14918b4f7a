"""A run from its start to its end."""

from typing import Any

from agents.runs.models import RunState, StepKind, StepState
from governance.approvals.models import ApprovalRequest
from governance.policies.models import PolicyDecision


def test_a_run_with_one_tool_call_succeeds(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.idempotent", note="hello"), say("Done.")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert run.output == {"text": "Done."}
    steps = house.steps(run)
    assert [step.kind for step in steps] == [StepKind.MODEL_CALL, StepKind.TOOL_CALL, StepKind.MODEL_CALL]
    assert {step.state for step in steps} == {StepState.SUCCEEDED}
    assert [line[2] for line in house.lines()] == ["hello"]
    assert run.cost == 220, "two calls of 100 + 10 tokens at one micro-unit each"
    assert house.events(run)[0] == "run.queued"
    assert house.events(run)[-1] == "run.succeeded"


def test_a_policy_that_forbids_is_told_to_the_agent(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(
        '@id("allow") permit (principal, action, resource);\n'
        '@id("never") forbid (principal, action, resource == Tool::"witness.effect");'
    )
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("I could not.")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    refused = house.steps(run)[1]
    assert (refused.kind, refused.state) == (StepKind.TOOL_CALL, StepState.REFUSED)
    assert "never" in refused.error
    assert house.lines() == []
    told = house.model.asked[-1]["input"][-1]["output"]
    assert "never" in told


def test_no_policy_that_permits_means_no_start(make_house: Any) -> None:
    house = make_house('@id("unrelated") permit (principal, action, resource == Tool::"witness.read");')
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "may not start" in run.failure
    assert house.steps(run) == []
    assert house.model.asked == []


def test_a_policy_that_asks_about_everything_refuses_the_start_and_asks_nobody(make_house: Any) -> None:
    house = make_house(
        '@id("allow") permit (principal, action, resource);\n'
        '@id("careful") @ask("May I?") @approvers("approver") @quorum("1") @expires("1h") @risk("low")\n'
        "forbid (principal, action, resource) unless { context.approved };"
    )
    run = house.run(house.start())
    assert (run.state, house.steps(run), house.model.asked) == (RunState.FAILED, [], [])
    assert "asks people first, and the start of a run waits for nobody" in run.failure
    with house.in_tenant():
        assert not ApprovalRequest.objects.filter(run=run).exists()
        assert PolicyDecision.objects.get(run_id=run.id).effect == "deny"


def test_an_unknown_tool_is_refused_with_a_decision(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("no.such", note="x"), say("Sorry.")]}
    run = house.run(house.start())
    step = house.steps(run)[1]
    assert (run.state, step.state) == (RunState.SUCCEEDED, StepState.REFUSED)
    assert step.decision_id is not None
    assert "no tool called no.such" in step.error


def test_arguments_against_the_schema_are_refused(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", wrong=1), say("Sorry.")]}
    run = house.run(house.start())
    assert house.steps(run)[1].state == StepState.REFUSED
    assert house.lines() == []


def test_a_budget_that_does_not_hold_the_call_stops_the_run(make_house: Any) -> None:
    house = make_house(run_budget=100)
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "budget of the run" in run.failure
    assert house.model.asked == []


def test_a_model_without_a_price_is_never_called(house: Any, say: Any) -> None:
    with house.in_tenant():
        # A price in another currency is no price here.
        from_other = type(house.organisation).objects.filter(pk=house.organisation.pk)
        from_other.update(currency="USD")
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "no price" in run.failure
    assert house.model.asked == []


def test_a_server_fault_is_tried_again_later(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    house.model.fail_with = [503]
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "timer")
    assert run.wake_at is not None


def test_a_bad_request_fails_the_run_with_the_reason(house: Any) -> None:
    house.model.fail_with = [400]
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "400" in run.failure


def test_a_tool_that_refuses_is_told_to_the_agent(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="refuse"), say("It did not want to.")]}
    run = house.run(house.start())
    assert house.steps(run)[1].state == StepState.FAILED
    assert run.state == RunState.SUCCEEDED


def test_the_step_limit_ends_a_run(make_house: Any, call: Any) -> None:
    house = make_house(max_steps=5)
    house.model.answers = {"worker": [call("witness.read", note=f"{turn}") for turn in range(20)]}
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "limit of 5 steps" in run.failure
    assert len(house.steps(run)) == 5
