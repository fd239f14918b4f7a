"""SIGTERM, SIGHUP: a worker takes no new run, lets go of those that it has, and ends; nothing is in doubt then."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workers import Worker, running, superuser, until

pytestmark = pytest.mark.slow

RUNS = 12
TURNS = 5
PATIENCE = 10.0  # seconds in which a worker has ended after SIGTERM


@pytest.fixture
def worker(house: Any, say: Any, call: Any, tmp_path: Path) -> Iterator[Worker]:
    """At work on runs whose calls take a while; its lease is longer than the test."""
    house.model.answers = {"worker": [
        *(call("witness.effect", note=f"slow {turn}") for turn in range(TURNS)), say("Done."),
    ]}  # fmt: skip
    made = Worker(tmp_path, house.model.url.split("/")[2],
                  REMIT_RUN_LEASE_SECONDS="60", REMIT_RUN_HEARTBEAT_SECONDS="1")  # fmt: skip
    with running(made):
        yield made


def states(house: Any) -> Counter[str]:
    with superuser() as database:
        return Counter(
            row[0] for row in database.execute(
                "SELECT state FROM runs_run WHERE organisation_id = %s", [house.organisation.id]
            )
        )  # fmt: skip


def test_a_worker_that_is_asked_to_end_lets_go_of_its_runs(house: Any, worker: Worker) -> None:
    runs = [house.start(f"run {number}") for number in range(RUNS)]
    until(lambda: len(house.lines()) >= 6, 60, lambda: (states(house), worker.log.read_text()))
    assert worker.process is not None
    worker.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    until(lambda: "takes no more runs" in worker.log.read_text(), PATIENCE, worker.log.read_text)
    late = house.start("late")
    until(lambda: not worker.is_alive, PATIENCE + 5, lambda: (states(house), worker.log.read_text()))
    took = time.monotonic() - began
    left = states(house)
    print(f"\nended {took:.1f} s after SIGTERM; runs: {dict(left)}")
    assert took <= PATIENCE
    assert set(left) <= {"queued", "succeeded", "waiting"}, "none is held by a worker that has gone"
    assert house.read(late).state == "queued", "it took nothing new"
    assert house.read(late).fence == 0
    assert not [run for run in runs if house.read(run).waits_for == "person"], "nothing is in doubt"
    worker.start()
    everything = [*runs, late]
    until(lambda: all(map(house.is_over, everything)), 60, lambda: (states(house), worker.log.read_text()))
    assert {house.read(run).state for run in everything} == {"succeeded"}
    keys = Counter(key for _, key, _ in house.lines())
    assert set(keys.values()) == {1}
    assert len(keys) == len(everything) * TURNS


def test_a_worker_that_begins_anew_lets_go_of_its_runs_before(house: Any, worker: Worker) -> None:
    """SIGHUP, of which Celery tells nobody; it ends the process, and starts the command again where it can."""
    runs = [house.start(f"run {number}") for number in range(RUNS)]
    until(lambda: len(house.lines()) >= 6, 60, lambda: (states(house), worker.log.read_text()))
    assert worker.process is not None
    worker.process.send_signal(signal.SIGHUP)
    until(lambda: "takes no more runs" in worker.log.read_text(), PATIENCE, worker.log.read_text)
    until(lambda: not states(house)["running"], PATIENCE, lambda: (states(house), worker.log.read_text()))
    worker.start()
    until(lambda: all(map(house.is_over, runs)), 60, lambda: (states(house), worker.log.read_text()))
    assert not [run for run in runs if "step.unknown" in house.events(run)], "nothing was ever in doubt"
    assert set(Counter(key for _, key, _ in house.lines()).values()) == {1}
