"""Summing up waits for an endpoint that is busy or away, as any call of a model does; nothing is left out meanwhile."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.runs.models import Run, RunState
from agents.runs.window import is_compaction
from tests.agents.runs.test_context import LONG, Talker, serve, start, talk
from tests.agents.runs.test_limits import pass_time

SHOWN = "The sum of it."


@pytest.fixture(autouse=True)
def _bytes_are_tokens(monkeypatch: Any) -> None:
    # The scripted endpoint always reports 100 tokens: taken at its word, everything would seem to fit.
    monkeypatch.setattr("agents.runs.context.scale_of", lambda *_: 1.0)
    monkeypatch.setattr("agents.runs.past.scale_of", lambda *_: 1.0)


@pytest.fixture
def talker(house: Any, say: Any) -> Talker:
    """In a session that no longer fits at its next turn."""
    serve(house, "compact")
    return Talker(house, say)


def third(house: Any) -> Run:
    session, _ = talk(house, 2)
    return start(house, session, f"Question 2. {LONG}")


def test_a_busy_endpoint_is_waited_for(house: Any, talker: Talker) -> None:
    run = third(house)
    house.model.fail_with, house.model.retry_after = [429, 503] * 3, "40"
    for _ in range(6):
        run = house.run(run)
        assert (run.state, run.waits_for) == (RunState.WAITING, "capacity"), run.failure
        assert 35 < (run.wake_at - datetime.now(UTC)).total_seconds() < 51
        pass_time(house, run)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert SHOWN in talker.seen[-1][0]["content"]
    assert "context.dropped" not in house.events(run)
    steps = house.steps(run)
    assert [(is_compaction(one), one.attempt, one.state) for one in steps] == [
        *[(True, 1, "failed")] * 6, (True, 1, "succeeded"), (False, 1, "succeeded"),
    ]  # fmt: skip
    assert run.cost == 220, "what was turned away is not paid"


def test_one_that_is_away_is_tried_again(house: Any, talker: Talker) -> None:
    run = third(house)
    house.model.fail_with = [429, 500, 503]
    for _ in range(3):
        run = house.run(run)
        assert (run.state, run.waits_for) == (RunState.WAITING, "timer"), run.failure
        pass_time(house, run)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert SHOWN in talker.seen[-1][0]["content"]
    assert [one.attempt for one in house.steps(run)] == [1, 2, 3, 4, 1]


def test_after_as_many_tries_as_any_call_has_what_is_old_is_left_out(house: Any, talker: Talker) -> None:
    run = third(house)
    house.model.fail_with = [503] * 4
    for _ in range(3):
        pass_time(house, house.run(run))
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert talker.summed_up == []
    assert "context.dropped" in house.events(run)
    assert "context.compaction_failed" in house.events(run)


def test_what_no_try_would_help_is_not_waited_for(house: Any, talker: Talker) -> None:
    run = third(house)
    house.model.fail_with = [400]
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert "context.dropped" in house.events(run)
