"""A run that is cancelled says why: somebody said so, or the run above it has ended."""

from typing import Any

import pytest

from agents.runs.control import pause_run
from agents.runs.engine import advance
from agents.runs.models import Run, RunState
from agents.runs.services import cancel_run
from foundation.audit.models import AuditEntry

PAST = "2020-01-01T00:00Z"


@pytest.fixture
def line(house: Any, say: Any, call: Any, add_agent: Any) -> list[Run]:
    """A run, the one below it, and the one below that: all wait but for the last, which is queued."""
    add_agent("third", [])
    add_agent("second", ["third"])
    boss = add_agent("boss", ["second"])
    house.model.answers = {
        "boss": [call("delegate.second", task="a"), say("Done.")],
        "second": [call("delegate.third", task="a"), say("Done.")],
        "third": [say("Done.")],
    }
    found = [house.start(agent=boss)]
    for _ in range(2):
        (below,) = advance(found[-1].id)
        found.append(house.read(Run(pk=below)))
    return [house.read(run) for run in found]


def expire(house: Any, run: Run) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(deadline=PAST, wake_at=PAST)


def test_whoever_runs_out_of_time_is_named_below(house: Any, line: list[Run]) -> None:
    expire(house, line[0])
    assert house.run(line[0]).state == RunState.EXPIRED
    below = [house.read(run) for run in line[1:]]
    assert [run.state for run in below] == [RunState.CANCELLED] * 2
    assert [run.failure for run in below] == [
        "The run above it has ended (expired): its work is not needed any more.",
        "The run above it has ended (cancelled): its work is not needed any more.",
    ]
    with house.in_tenant():
        told = AuditEntry.objects.filter(run_id=line[1].pk, action="run.cancelled").get()
    assert told.reason == below[0].failure
    assert house.events(line[1])[-1] == "run.cancelled"


def test_what_somebody_cancelled_says_so(house: Any, line: list[Run]) -> None:
    with house.in_tenant():
        cancel_run(actor=house.owner, run=line[1])
    house.run(line[1])
    assert house.read(line[1]).failure == "Somebody cancelled the run; the record says who."
    assert "above it has ended (cancelled)" in house.read(line[2]).failure
    assert house.read(line[0]).state == RunState.SUCCEEDED, "it goes on without"


def test_so_it_is_where_all_of_them_are_paused(house: Any, line: list[Run]) -> None:
    with house.in_tenant():
        pause_run(actor=house.owner, run=line[0])
    expire(house, line[0])
    house.run(line[0])
    assert [house.read(run).state for run in line] == [RunState.EXPIRED, RunState.CANCELLED, RunState.CANCELLED]
    assert "(expired)" in house.read(line[1]).failure
