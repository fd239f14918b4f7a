"""A worker that is asked to end keeps what came of the call under way, whatever was decided about its run meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.runs import calls
from agents.runs.control import pause_run
from agents.runs.engine import advance
from agents.runs.leases import keeper
from agents.runs.models import Run, RunState, StepState
from agents.runs.services import cancel_run

PAST = "2020-01-01T00:00Z"
pytestmark = pytest.mark.timeout(60)


def cancel(house: Any, run: Run) -> None:
    cancel_run(actor=house.owner, run=run)


def pause(house: Any, run: Run) -> None:
    pause_run(actor=house.owner, run=run)


def end_its_time(_: Any, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(deadline=PAST)


ENDS = [(cancel, RunState.CANCELLED), (end_its_time, RunState.EXPIRED)]


@pytest.mark.parametrize(("act", "state"), [*ENDS, (pause, RunState.QUEUED)])
def test_the_outcome_of_an_effect_is_kept(
    house: Any, say: Any, call: Any, monkeypatch: Any, act: Callable[[Any, Run], None], state: RunState
) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="once"), say("Done.")]}
    run, real = house.start(), calls.call_tool

    def meanwhile(*given: Any) -> Any:
        called = real(*given)
        with house.in_tenant():
            act(house, run)
        monkeypatch.setattr(keeper, "is_draining", True)
        return called

    monkeypatch.setattr(calls, "call_tool", meanwhile)
    assert advance(run.id) == ([run.id] if state is RunState.QUEUED else [])
    run = house.read(run)
    assert (run.state, run.crashes) == (state, 0), run.failure
    assert [step.state for step in house.steps(run)] == [StepState.SUCCEEDED, StepState.SUCCEEDED]
    assert len(house.lines()) == 1


@pytest.mark.parametrize(("act", "state"), ENDS)
def test_a_run_that_is_to_end_ends_with_the_models_call(
    house: Any, say: Any, monkeypatch: Any, act: Callable[[Any, Run], None], state: RunState
) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run, real = house.start(), house.model.answer

    def answer(request: dict[str, Any]) -> Any:
        with house.in_tenant():
            act(house, run)
        monkeypatch.setattr(keeper, "is_draining", True)
        return real(request)

    house.model.answer = answer
    assert advance(run.id) == []
    ended = house.read(run)
    assert (ended.state, ended.crashes) == (state, 0), ended.failure
