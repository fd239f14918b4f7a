"""However many runs wait for a free slot: the clock's ticks are carried out, and the broker's queue does not grow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import own_cluster
from tests.houses import House
from tests.workers import Worker, superuser, until

pytestmark = pytest.mark.slow

RUNS = 200
SLOTS = 2
WINDOW = 20  # seconds
LATE = 8.0  # seconds; a tick comes every two
_TICK = "SELECT extract(epoch FROM clock_timestamp() - seen_at)::float8 FROM runs_heartbeat WHERE kind = 'scheduler'"


def ask(question: str) -> Any:
    """One value."""
    with superuser() as database:
        row = database.execute(question.encode()).fetchone()
        return row[0] if row else None


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, make_house: Any, say: Any) -> Iterator[House]:
    """On a server of its own, with a model that keeps everybody waiting."""
    with own_cluster(monkeypatch, {}):
        made = make_house(budget=10**12)
        made.model.answers = {"worker": [say("Done.")]}
        made.model.answering.clear()
        yield made


@pytest.fixture
def worker(house: House, tmp_path: Path) -> Iterator[Worker]:
    """With few slots, and few threads that hear bells."""
    made = Worker(tmp_path, house.model.url.split("/")[2], REMIT_RUN_SLOTS=str(SLOTS), REMIT_RUN_LEASE_SECONDS="60",
                  REMIT_RUN_HEARTBEAT_SECONDS="1")  # fmt: skip
    made.start()
    try:
        yield made
    finally:
        house.model.answering.set()
        made.kill()


def test_bells_without_a_free_slot_hold_no_tick_up(house: House, worker: Worker) -> None:
    until(lambda: ask(_TICK) is not None, 60, worker.log.read_text)
    runs = [house.start(f"run {number}") for number in range(RUNS)]
    until(lambda: ask("SELECT count(*) FROM runs_run WHERE state = 'running'") == SLOTS, 30, worker.log.read_text)
    since, ages = ask("SELECT clock_timestamp()"), list[float]()

    def is_over() -> bool:
        ages.append(ask(_TICK))
        return bool((ask("SELECT clock_timestamp()") - since).total_seconds() > WINDOW)

    until(is_over, 2 * WINDOW, lambda: ages)
    left = ask("SELECT count(*) FROM pgmq.q_remit")
    print(f"\nthe last tick was {max(ages):.1f} s ago at most; messages left: {left}")
    assert max(ages) < LATE
    assert left < RUNS, "those that nobody can answer yet are not passed on for ever"
    house.model.answering.set()
    until(lambda: all(map(house.is_over, runs)), 120, worker.last_words)
