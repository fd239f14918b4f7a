"""A worker that ends in the midst of a call is missed at once, as one that dies: not when its leases run out."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.invariants import test_takeover
from tests.invariants.test_takeover import two_workers
from tests.workers import until

pytestmark = pytest.mark.slow

PATIENCE = 5.0  # seconds; the lease is 60


def test_what_a_worker_could_not_finish_is_taken_over_when_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, tmp_path: Path
) -> None:
    monkeypatch.setitem(test_takeover.LONG, "REMIT_RUN_DRAIN_SECONDS", "1")
    with two_workers(monkeypatch, make_house, tmp_path) as two:
        house, ending, runs = two.house, two.workers[0], two.asking(40)
        name = two.name_of(ending)
        held = two.held(name)
        assert held, "it had some"
        assert ending.process is not None
        ending.process.send_signal(signal.SIGTERM)
        until(lambda: not ending.is_alive, 20, two.standing)
        ended = time.monotonic()
        until(lambda: not two.held(name), 90, two.standing)
        took = time.monotonic() - ended
        print(f"\n{len(held)} runs of a worker that ended moved again after {took:.2f} s")
        house.model.answering.set()
        until(lambda: all(map(house.is_over, runs)), 60, two.standing)
        assert took < PATIENCE
