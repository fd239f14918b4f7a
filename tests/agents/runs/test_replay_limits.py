"""A replay meets the bounds that its run met, where that met them, and no others."""

from typing import Any

import pytest

from agents.runs.models import Run, RunState, StepState
from tests.agents.runs.test_fork import fork
from tests.agents.runs.test_replay import hashes, replayed


def assert_same(house: Any, run: Run) -> None:
    """A replay has the trace of its run, and so has a replay of the replay."""
    again = replayed(house, run)
    assert len(hashes(house, run, again, replayed(house, again))) == 1, (again.state, again.failure)


def states(house: Any, run: Run) -> list[str]:
    return [step.state for step in house.steps(run)]


def test_what_was_refused_because_somebody_waited_is_refused_again(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    """A delegated run hands nothing over, though nobody waits for its replay."""
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=["second"])
    boss = add_agent("boss", ["worker"])
    house.model.answers = {
        "boss": [call("delegate.worker", task="x"), say("Done.")],
        "worker": [call("remit.hand_over", agent="second", note="n"), say("Then I do it.")],
    }
    run = house.run(house.start(agent=boss))
    with house.in_tenant():
        child = Run.objects.get(parent=run)
    assert states(house, child) == [StepState.SUCCEEDED, StepState.REFUSED, StepState.SUCCEEDED]
    assert_same(house, child)
    assert_same(house, run)


def test_the_ceiling_on_delegations_is_where_it_was(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    """A replay begins no run, and still has delegated as often."""
    add_agent("red", [])
    equip(house, "witness.read", delegates=["red"], max_children=2)
    tasks = [part for task in "abc" for part in call("delegate.red", task=task)]
    house.model.answers = {"worker": [tasks, say("Done.")], "red": [say("Red.")]}
    run = house.run(house.start())
    assert states(house, run)[1:4] == [StepState.SUCCEEDED, StepState.SUCCEEDED, StepState.REFUSED]
    assert_same(house, run)


@pytest.mark.parametrize("limits", [{"max_steps": 5}, {"max_tokens": 300}])
def test_what_a_fork_shares_counts_in_its_replay_no_more_than_in_itself(
    house: Any, say: Any, call: Any, equip: Any, limits: dict[str, int]
) -> None:
    equip(house, "witness.read", **limits)
    house.model.answers = {"worker": [*(call("witness.read", note=note) for note in "ab"), say("Done.")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    house.model.answers = {"worker": [*(call("witness.read", note=note) for note in "abcd"), say("Done.")]}
    made = house.run(fork(house, run, 4))
    assert (made.state, len(house.steps(made))) == (RunState.SUCCEEDED, 9), made.failure
    assert_same(house, made)


def test_a_run_that_reached_its_limit_ends_there_in_its_replay(house: Any, call: Any, equip: Any) -> None:
    equip(house, "witness.read", max_steps=3)
    house.model.answers = {"worker": [call("witness.read", note="a")]}
    run = house.run(house.start())
    assert "limit of 3 steps" in run.failure
    again = replayed(house, run)
    assert (again.state, run.failure in again.failure) == (RunState.FAILED, True)
    assert_same(house, run)
