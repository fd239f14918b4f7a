"""The limit on a run's tokens holds for all that comes of it: the runs below it, and whoever takes its session over."""

import re
from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from agents.runs.models import Run, RunState

EACH = 110  # tokens of one call, as the endpoint counts them


def family(house: Any) -> list[Run]:
    """All runs of the house, oldest first."""
    with house.in_tenant():
        return list(Run.objects.select_related("agent").order_by("created_at", "id"))


def tokens(house: Any) -> int:
    return sum(run.input_tokens + run.output_tokens for run in family(house))


@pytest.fixture
def red(house: Any, say: Any, call: Any, add_agent: Any) -> Any:
    """An agent without a limit of its own, each of whose runs asks its model three times."""
    house.model.answers["red"] = [*(call("witness.read", note=note) for note in "ab"), say("Red.")]
    return add_agent("red", [])


def test_a_run_that_delegates_again_and_again_is_ended_by_its_limit(
    house: Any, say: Any, call: Any, equip: Any, red: Any
) -> None:
    equip(house, "witness.read", delegates=["red"], max_tokens=5 * EACH)
    house.model.answers["worker"] = [*(call("delegate.red", task=task) for task in "abc"), say("Done.")]
    run = house.run(house.start())
    # One and three, one more, and none of the second child's: it may ask no more than its parent.
    assert (tokens(house), len(family(house))) == (5 * EACH, 3)
    child = family(house)[-1]
    why = "limit of 550 tokens: with all that came of it, it has used 550."
    assert (child.state, child.failure) == (RunState.FAILED, f"A run that it came of reached its {why}")
    assert (run.state, run.failure) == (RunState.FAILED, f"The run reached its {why}")


def test_one_less_is_enough_for_one_more_call(house: Any, say: Any, call: Any, equip: Any, red: Any) -> None:
    equip(house, "witness.read", delegates=["red"], max_tokens=4 * EACH + 1)
    house.model.answers["worker"] = [call("delegate.red", task="a"), say("Done.")]
    run = house.run(house.start())
    assert (run.state, tokens(house)) == (RunState.SUCCEEDED, 5 * EACH), run.failure


def test_it_holds_at_any_depth(house: Any, say: Any, call: Any, equip: Any, add_agent: Any, red: Any) -> None:
    add_agent("middle", ["red"])
    house.model.answers["middle"] = [call("delegate.red", task="a"), say("Middle.")]
    equip(house, "witness.read", delegates=["middle"], max_tokens=3 * EACH)
    house.model.answers["worker"] = [call("delegate.middle", task="a"), say("Done.")]
    run = house.run(house.start())
    assert (run.state, tokens(house)) == (RunState.FAILED, 3 * EACH)
    assert [one.state for one in family(house)] == [RunState.FAILED] * 3
    assert "A run that it came of reached its limit of 330 tokens" in family(house)[-1].failure


def test_a_childs_own_limit_is_named_as_its_own(house: Any, say: Any, call: Any, equip: Any, red: Any) -> None:
    with house.in_tenant():
        agent = Agent.objects.get(pk=red.pk)
        version = publish_version(
            actor=house.owner, agent=agent, instructions="red", language_model=house.language_model,
            tools=["witness.read"], delegates=[], max_output_tokens=100, run_budget=1_000_000, max_tokens=EACH,
        )  # fmt: skip
        serve_version(actor=house.owner, agent=agent, version=version)
    equip(house, "witness.read", delegates=["red"], max_tokens=50 * EACH)
    house.model.answers["worker"] = [call("delegate.red", task="a"), say("Done.")]
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert family(house)[-1].failure.startswith("The run reached its limit of 110 tokens")


def test_handing_over_gains_no_tokens(house: Any, say: Any, call: Any, equip: Any, red: Any) -> None:
    equip(house, "remit.hand_over", delegates=["red"], max_tokens=2 * EACH)
    house.model.answers["worker"] = [call("remit.hand_over", agent="red", note="Go on."), say("never said")]
    house.run(house.start())
    follower = family(house)[-1]
    assert (follower.relation, follower.state, tokens(house)) == ("handover", RunState.FAILED, 2 * EACH)
    assert "A run that it came of reached its limit of 220 tokens" in follower.failure


def test_what_no_endpoint_counts_is_estimated_below_too(house: Any, say: Any, call: Any, equip: Any, red: Any) -> None:
    house.model.counts = False
    equip(house, "witness.read", delegates=["red"], max_tokens=5_000)
    house.model.answers["worker"] = [*(call("delegate.red", task=task) for task in "abcde"), say("Done.")]
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert re.search(r"has used ([\d,]+), \1 of them by estimate: the endpoint did not say\.$", run.failure)
    assert 1 < len(family(house)) < 6


def test_without_a_limit_nothing_ends_it(house: Any, say: Any, call: Any, equip: Any, red: Any) -> None:
    equip(house, "witness.read", delegates=["red"])
    house.model.answers["worker"] = [*(call("delegate.red", task=task) for task in "abc"), say("Done.")]
    run = house.run(house.start())
    assert (run.state, tokens(house)) == (RunState.SUCCEEDED, 13 * EACH), run.failure
