"""SIGQUIT: a worker waits for no call, also when it waits already because it was asked to end; another takes over."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.invariants import test_takeover
from tests.invariants.test_takeover import two_workers
from tests.workers import until

pytestmark = pytest.mark.slow

PATIENCE = 15.0  # seconds; the worker would wait for a minute


@pytest.mark.parametrize("asked", [False, True], ids=["at work", "while it drains"])
def test_a_worker_that_is_told_to_end_at_once_does(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, tmp_path: Path, asked: bool
) -> None:
    monkeypatch.setitem(test_takeover.LONG, "REMIT_RUN_DRAIN_SECONDS", "60")
    with two_workers(monkeypatch, make_house, tmp_path) as two:
        house, ending, runs = two.house, two.workers[0], two.asking(30)
        name = two.name_of(ending)
        assert two.held(name), "it had some"
        assert ending.process is not None
        if asked:
            ending.process.send_signal(signal.SIGTERM)
            until(lambda: "takes no more runs" in ending.log.read_text(), 20, two.standing)
        ending.process.send_signal(signal.SIGQUIT)
        began = time.monotonic()
        until(lambda: not ending.is_alive, 50, two.standing)
        took = time.monotonic() - began
        print(f"\nended {took:.1f} s after SIGQUIT")
        assert took < PATIENCE
        until(lambda: not two.held(name), PATIENCE, two.standing)
        house.model.answering.set()
        until(lambda: all(map(house.is_over, runs)), 60, two.standing)
        assert {house.read(run).state for run in runs} == {"succeeded"}
