"""What ends a run, or holds it up: tokens, steps, and a model that says that it is busy."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.runs.models import Run, RunState, StepState
from agents.runs.retries import IDEMPOTENT, LONGEST_BUSY, MODEL_CALL, NEVER, READ, RetryPolicy, busy_for, policy_of


def pass_time(house: Any, run: Any) -> None:
    """As if the waiting time were over."""
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(wake_at=datetime.now(UTC) - timedelta(seconds=1))


def test_the_token_limit_ends_a_run_and_is_named(house: Any, call: Any, equip: Any) -> None:
    equip(house, "witness.read", max_tokens=300)
    house.model.answers = {"worker": [call("witness.read", note=f"{turn}") for turn in range(20)]}
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert run.failure == "The run reached its limit of 300 tokens: it has used 330."
    assert run.max_tokens == 300


@pytest.mark.parametrize("counts", [False, True])
def test_what_an_endpoint_does_not_count_is_estimated(
    house: Any, say: Any, call: Any, equip: Any, counts: bool
) -> None:
    """By bytes, which is never too little; and it is said that it is an estimate."""
    equip(house, "witness.read", max_tokens=5_000)
    house.model.counts = counts
    house.model.answers = {"worker": [*(call("witness.read", note=f"{turn}") for turn in range(9)), say("Done.")]}
    run = house.run(house.start())
    if counts:
        assert run.state == RunState.SUCCEEDED, run.failure
        return
    assert run.state == RunState.FAILED
    used = re.fullmatch(r"The run reached its limit of 5,000 tokens: it has used ([\d,]+), ([\d,]+) of them by "
                        r"estimate: the endpoint did not say\.", run.failure)  # fmt: skip
    assert used is not None, run.failure
    assert used[1] == used[2]
    asked = house.model.asked
    assert int(used[1].replace(",", "")) >= sum(len(json.dumps(one["input"]).encode()) for one in asked)
    assert 1 < len(asked) < 10
    assert (run.input_tokens, run.output_tokens) == (0, 0), "nobody said"


def test_a_busy_model_is_waited_for_and_costs_no_try(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    house.model.fail_with, house.model.retry_after = [429, 503, 429, 503, 429, 503, 429], "40"
    run = house.start()
    for _ in range(7):
        run = house.run(run)
        assert (run.state, run.waits_for) == (RunState.WAITING, "capacity"), run.failure
        left = (run.wake_at - datetime.now(UTC)).total_seconds()
        assert 35 < left < 51
        pass_time(house, run)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert {step.attempt for step in house.steps(run)} == {1}
    assert run.cost == 110, "what was turned away is not paid"


def test_a_busy_model_does_not_eat_the_steps(house: Any, say: Any, equip: Any) -> None:
    equip(house, max_steps=2)
    house.model.answers = {"worker": [say("Done.")]}
    house.model.fail_with, house.model.retry_after = [429] * 4, "1"
    run = house.start()
    for _ in range(4):
        run = house.run(run)
        pass_time(house, run)
    assert house.run(run).state == RunState.SUCCEEDED


def test_only_the_time_limit_ends_the_wait_for_capacity(house: Any, say: Any) -> None:
    house.model.fail_with, house.model.retry_after = [429], "999999999"
    run = house.run(house.start())
    assert run.wake_at == run.deadline, "however long it says"
    with house.in_tenant():
        gone = datetime.now(UTC) - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(wake_at=gone, deadline=gone)
    assert house.run(run).state == RunState.EXPIRED


@pytest.mark.parametrize("said", ["", "soon", "-5", "Wed, 99 Foo"])
def test_whoever_does_not_say_how_long_is_tried_again_as_usual(house: Any, say: Any, said: str) -> None:
    house.model.fail_with, house.model.retry_after = [429], said
    run = house.run(house.start())
    assert run.waits_for == "timer"


def test_a_model_that_fails_on_and_on_is_given_up(house: Any) -> None:
    house.model.fail_with = [503] * 10
    run = house.start()
    for _ in range(MODEL_CALL.tries - 1):
        run = house.run(run)
        assert run.waits_for == "timer", run.failure
        pass_time(house, run)
    run = house.run(run)
    assert run.state == RunState.FAILED
    assert [step.attempt for step in house.steps(run)] == [1, 2, 3, 4]
    assert {step.state for step in house.steps(run)} == {StepState.FAILED}


@given(attempt=st.integers(2, 20), policy=st.sampled_from([MODEL_CALL, READ, IDEMPOTENT]))
def test_pauses_grow_and_are_bounded(attempt: int, policy: RetryPolicy) -> None:
    pause = policy.delay_before(attempt)
    assert (pause is None) == (attempt > policy.tries)
    if pause is not None:
        least = min(policy.first * policy.factor ** (attempt - 2), policy.longest)
        assert least <= pause <= least * 1.25


@given(said=st.floats(0, 1e12))
def test_nobody_is_believed_to_be_busy_for_ever(said: float) -> None:
    assert 1 <= busy_for(said) <= LONGEST_BUSY * 1.25


def test_each_kind_of_step_has_its_policy() -> None:
    assert policy_of("model_call", "") is MODEL_CALL
    assert policy_of("tool_call", "read") is READ
    assert policy_of("tool_call", "idempotent") is IDEMPOTENT
    assert policy_of("tool_call", "effect") is NEVER
    assert NEVER.delay_before(2) is None
