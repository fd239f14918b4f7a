"""A retry does nothing again that the runs below have done, or may have done: however their delegation ended."""

from typing import Any

import pytest

from agents.runs.engine import advance
from agents.runs.models import Run, RunState
from agents.runs.services import cancel_run
from foundation.errors import ConflictError
from tests.agents.runs.test_parallel_children import children_of
from tests.agents.runs.test_retry import retry


@pytest.fixture
def team(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> None:
    """The worker delegates to red, and red to blue."""
    add_agent("blue", [])
    add_agent("red", ["blue"])
    equip(house, delegates=["red"])
    house.model.answers = {
        "worker": [call("delegate.red", task="x"), say("So.")],
        "red": [call("delegate.blue", task="y"), say("Red.")],
        "blue": [call("witness.effect", note="refund"), say("Blue.")],
    }


def failing_after(house: Any, agent: str, times: int) -> Run:
    """A run in whose team the models fail for good once this agent has answered: so many runs fail of it."""
    real = house.model.answer

    def answer(request: Any) -> Any:
        if request["instructions"] == agent:
            house.model.answer = real
            house.model.fail_with = [400] * times
        return real(request)

    house.model.answer = answer
    run = house.run(house.start())
    assert (run.state, house.model.fail_with) == (RunState.FAILED, []), run.failure
    return run


@pytest.mark.usefixtures("team")
def test_what_a_failed_child_did_is_not_done_again(house: Any, say: Any, call: Any) -> None:
    house.model.answers["red"] = [call("witness.effect", note="refund"), say("Red.")]
    run = failing_after(house, "red", 2)
    child = children_of(house, run)[0]
    assert [step.state for step in house.steps(run)][1] == "failed"
    for step in (1, 2):
        with pytest.raises(ConflictError, match=rf"Step 2 .witness.effect. of run {child.id}, .* retry from step 3"):
            retry(house, run, step)
    made = house.run(retry(house, run, 3))
    assert made.state == RunState.SUCCEEDED, made.failure
    assert [line[2] for line in house.lines()] == ["refund"]


@pytest.mark.usefixtures("team")
def test_nor_what_a_run_deeper_below_did(house: Any) -> None:
    run = failing_after(house, "blue", 3)
    deepest = children_of(house, children_of(house, run)[0])[0]
    with pytest.raises(ConflictError, match=f"of run {deepest.id}, below step 2, was done"):
        retry(house, run, 2)


@pytest.mark.usefixtures("team")
def test_nor_what_a_cancelled_child_may_have_done(house: Any, say: Any, call: Any) -> None:
    house.model.answers["red"] = [call("witness.effect", note="break"), say("Red.")]
    run = house.start()
    advance(run.id)
    child = children_of(house, run)[0]
    assert house.run(child).waits_for == "person"
    with house.in_tenant():
        cancel_run(actor=house.owner, run=house.read(run))
    house.run(run)
    assert (house.read(run).state, house.read(child).state) == (RunState.CANCELLED, RunState.CANCELLED)
    with pytest.raises(ConflictError, match=f"of run {child.id}, below step 2, may have been done"):
        retry(house, run, 2)


@pytest.mark.usefixtures("team")
def test_nor_what_a_retry_of_the_child_did(house: Any, say: Any, call: Any) -> None:
    house.model.answers["red"] = [call("witness.read", note="look"), call("witness.effect", note="refund"), say("Red.")]
    run = failing_after(house, "red", 2)
    child = children_of(house, run)[0]
    again = retry(house, child, 3)
    with pytest.raises(ConflictError, match=f"Run {again.id}, below step 2, has not ended"):
        retry(house, run, 2)
    assert house.run(again).state == RunState.SUCCEEDED
    with pytest.raises(ConflictError, match=f"of run {again.id}, below step 2, was done"):
        retry(house, run, 2)
    assert [line[2] for line in house.lines()] == ["look", "refund"]


@pytest.mark.usefixtures("team")
def test_a_child_that_has_not_ended_is_waited_for(house: Any) -> None:
    run = house.start()
    advance(run.id)
    child = children_of(house, run)[0]
    with house.in_tenant():
        cancel_run(actor=house.owner, run=house.read(run))
    advance(run.id)
    assert (house.read(run).state, house.read(child).state) == (RunState.CANCELLED, RunState.QUEUED)
    with pytest.raises(ConflictError, match=f"Run {child.id}, below step 2, has not ended .it is queued.: wait"):
        retry(house, run, 2)
    assert house.run(child).state == RunState.CANCELLED
    made = house.run(retry(house, run, 2))
    assert made.state == RunState.SUCCEEDED, "nothing was done below"
    assert [line[2] for line in house.lines()] == ["refund"]


@pytest.mark.usefixtures("team")
def test_what_was_only_read_below_is_read_again(house: Any, say: Any, call: Any) -> None:
    house.model.answers["blue"] = [call("witness.read", note="look"), say("Blue.")]
    run = failing_after(house, "blue", 3)
    made = house.run(retry(house, run, 2))
    assert made.state == RunState.SUCCEEDED, made.failure
    assert [line[2] for line in house.lines()] == ["look", "look"]
