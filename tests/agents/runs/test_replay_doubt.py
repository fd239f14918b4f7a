"""A call in doubt that was done again, or was not to be: its replay makes it once, and has the same trace."""

from typing import Any

import pytest

from agents.runs.models import Run, RunState, StepKind, StepState
from agents.runs.services import cancel_run, resolve_unknown
from agents.runs.traces import compare
from agents.tools.port import ToolOutput, ToolUncertainError
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve, deny
from tests.agents.runs.test_replay import ASK_FIRST, hashes, replayed
from tests.houses import WitnessKind

ASKS = ASK_FIRST.split("\n", 1)[1]
NEVER = '@id("never") forbid (principal, action, resource == Tool::"witness.effect");'


@pytest.fixture
def in_doubt(house: Any, say: Any, call: Any, monkeypatch: Any) -> Any:
    """`in_doubt(asked)`: a run in whose second act nobody knows what happened; it is `asked` about before."""

    def uncertain(_self: Any, _request: Any) -> ToolOutput:
        raise ToolUncertainError("The line broke.")

    def make(asked: bool) -> Run:
        monkeypatch.setattr(WitnessKind, "call", uncertain)
        house.model.answers = {"worker": [call("witness.effect", note="pay"), say("Done.")]}
        if asked:
            house.policy("careful", ASKS)
        run = house.run(house.start())
        if asked:
            run = answered(house, run, "yes")
        assert run.waits_for == "person", (run.state, run.failure)
        monkeypatch.setattr(WitnessKind, "call", lambda *_: ToolOutput({"paid": 1}))
        return run

    return make


def answered(house: Any, run: Run, answer: str) -> Run:
    with house.in_tenant():
        request = ApprovalRequest.objects.filter(run=run).latest("id")
        if answer == "yes":
            approve(actor=house.approver, request=request, digest=request.digest)
        else:
            deny(actor=house.approver, request=request, reason="Not again.")
    return house.run(run)


def again(house: Any, run: Run) -> Run:
    """A person found that it did not happen."""
    number = next(step.number for step in house.steps(run) if step.state == StepState.UNKNOWN)
    with house.in_tenant():
        resolve_unknown(actor=house.owner, run=run, number=number, outcome="retry", evidence="Nothing was booked.")
    return house.run(run)


@pytest.mark.parametrize("answer", ["yes", "no"])
@pytest.mark.parametrize("before", [False, True])
def test_people_who_were_asked_about_the_second_try_answer_about_the_only_one(
    house: Any, in_doubt: Any, before: bool, answer: str
) -> None:
    """Whether they were asked `before` the first one too, or only by now."""
    run = in_doubt(before)
    if not before:
        house.policy("careful", ASKS)
    run = answered(house, again(house, run), answer)
    assert run.state == RunState.SUCCEEDED, run.failure
    kinds = [step.kind for step in house.steps(run)]
    assert kinds.index(StepKind.TOOL_CALL) + 1 == len(kinds) - 2, "the last question stands behind its call"
    made = replayed(house, run)
    assert len(hashes(house, run, made, replayed(house, made))) == 1, made.failure
    assert [step.kind for step in house.steps(made)] == [
        StepKind.MODEL_CALL, StepKind.DECISION_WAIT, StepKind.TOOL_CALL, StepKind.MODEL_CALL,
    ]  # fmt: skip
    with house.in_tenant():
        found = compare(run, made)
    assert (found.is_same, found.first_difference) == (True, None)


def test_a_question_that_the_end_of_the_run_left_open_came_to_nothing(house: Any, in_doubt: Any) -> None:
    run = again(house, in_doubt(asked=True))
    assert run.waits_for == "approval", (run.state, run.failure)
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    run = house.run(run)
    assert [step.state for step in house.steps(run)] == [
        StepState.SUCCEEDED, StepState.SUCCEEDED, StepState.FAILED, StepState.REFUSED,
    ]  # fmt: skip
    made = replayed(house, run)
    assert len(hashes(house, run, made, replayed(house, made))) == 1, made.failure


def test_what_a_policy_forbade_by_then_is_refused_in_its_replay(house: Any, in_doubt: Any) -> None:
    run = in_doubt(asked=False)
    house.policy("never", NEVER)
    run = again(house, run)
    assert (run.state, house.steps(run)[1].state) == (RunState.SUCCEEDED, StepState.REFUSED)
    made = replayed(house, run)
    assert len(hashes(house, run, made)) == 1, made.failure
