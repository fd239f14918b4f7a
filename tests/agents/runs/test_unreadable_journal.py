"""A journal that cannot be read costs no other run its lease, and one that kills whoever reads it is read no more."""

from typing import Any

import pytest

from agents.runs import calling, engine
from agents.runs.models import Run, RunState
from agents.runs.taking import take
from tests.workers import superuser

ELSEWHERE = "elsewhere:1"
PAST = "2020-01-01T00:00Z"
VAST = f'{{"n": {"9" * 5_000}}}'  # more digits than Python reads


@pytest.fixture
def begun(house: Any, say: Any, call: Any) -> list[Run]:
    """Two runs whose worker was lost after a step each; what others have left is over."""
    with superuser() as database:
        database.execute("UPDATE runs_run SET state = 'cancelled', ended_at = now(), waits_for = '', waits_on = NULL "
                         "WHERE state IN ('queued', 'running', 'waiting')")  # fmt: skip
    house.model.answers = {"worker": [call("witness.read", note="x"), say("Done.")]}
    house.model.fail_with = [429, 429]
    runs = [house.start(f"run {number}") for number in range(2)]
    for run in runs:
        assert house.run(run).waits_for == "timer"
    with house.in_tenant():
        Run.objects.filter(pk__in=[run.pk for run in runs]).update(
            state="running", waits_for="", wake_at=None, lease_until=PAST
        )
    return runs


def spoil(run: Run) -> None:
    with superuser() as database:
        database.execute("UPDATE runs_step SET output = %s::jsonb WHERE run_id = %s", [VAST, run.pk])


def test_a_run_that_was_taken_with_it_keeps_its_lease(house: Any, begun: list[Run]) -> None:
    spoil(begun[0])
    taken = {one.run.id: one for one in take(ELSEWHERE, 60, more=2)}
    assert set(taken) == {run.id for run in begun}
    assert engine.work_on(taken[begun[1].id]) == ([], None)
    assert (house.read(begun[1]).state, house.read(begun[1]).crashes) == (RunState.SUCCEEDED, 0)


def test_the_run_itself_is_tried_again_and_then_stopped(house: Any, begun: list[Run], settings: Any) -> None:
    spoil(begun[0])
    settings.RUN_MAX_CRASHES = 2
    run = house.run(begun[0])
    assert (run.state, run.waits_for, run.crashes) == (RunState.WAITING, "timer", 2)
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(wake_at=PAST)
    run = house.run(run)
    assert run.state == RunState.FAILED
    assert "ValueError" in run.failure


@pytest.mark.parametrize("number", [1, 2])
def test_one_that_kills_its_readers_is_stopped_unread(
    house: Any, say: Any, call: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, number: int
) -> None:
    """Nothing of its steps is read any more: no body of one that is still open either."""
    settings.RUN_MAX_CRASHES = 1

    def die(*_: Any) -> None:
        raise SystemExit

    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.start()
    monkeypatch.setattr(calling.calls, "call_tool", die)
    with pytest.raises(SystemExit):
        engine.advance(run.id)
    with superuser() as database:
        database.execute("UPDATE runs_step SET input = %s::jsonb WHERE run_id = %s AND number = %s",
                         [VAST, run.pk, number])  # fmt: skip
        database.execute("UPDATE runs_run SET crashes = 1, lease_until = %s WHERE id = %s", [PAST, run.pk])
    (taken,) = take(ELSEWHERE, 60, [run.id])
    assert (taken.lease.crashes, taken.is_read, taken.steps) == (2, False, [])
    engine.work_on(taken)
    run = house.read(run)
    assert (run.state, run.failure) == (
        RunState.FAILED, "The worker died 2 times while it worked on this run: it is stopped.",
    )  # fmt: skip
    assert house.events(run)[-2:] == ["step.unknown", "run.failed"]
