"""That a run has started is told once, when it makes its first move."""

from typing import Any

from agents.runs.control import pause_run, resume_run
from agents.runs.engine import advance
from agents.runs.leases import keeper
from agents.runs.models import Run
from agents.runs.services import cancel_run
from agents.runs.taking import take


def test_a_worker_that_lets_go_of_it_before_has_not_started_it(
    house: Any, say: Any, call: Any, monkeypatch: Any
) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    run = house.start()
    with monkeypatch.context() as draining:
        draining.setattr(keeper, "is_draining", True)
        assert advance(run.id) == [run.id]
    assert house.events(run) == ["run.queued"]
    house.run(run)
    assert house.events(run).count("run.started") == 1
    assert house.events(run)[1] == "run.started"


def test_nor_has_one_that_finds_it_paused(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run = house.start()
    _crash(house, run)
    with house.in_tenant():
        pause_run(actor=house.owner, run=house.read(run))
    assert house.run(run).waits_for == "pause"
    assert "run.started" not in house.events(run)
    with house.in_tenant():
        resume_run(actor=house.owner, run=house.read(run))
    house.run(run)
    assert house.events(run).count("run.started") == 1


def test_nor_has_one_that_finds_it_cancelled(house: Any) -> None:
    run = house.start()
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    house.run(run)
    assert house.events(run) == ["run.queued", "run.cancelled"]


def _crash(house: Any, run: Run) -> None:
    """A worker took it and died before it wrote anything."""
    assert [one.run.pk for one in take("dead", 30, [run.id])] == [run.id]
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00Z")
