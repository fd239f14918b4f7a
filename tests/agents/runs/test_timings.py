"""Timings that do not fit are told of at every start, and no worker begins with them."""

from pathlib import Path
from typing import Any

import pytest

from agents.runs.checks import check_timings
from tests.workers import Worker

WRONG = {
    "RUN_LEASE_SECONDS": [0.0, -1.0, float("nan"), float("inf")],
    "RUN_HEARTBEAT_SECONDS": [0.0, float("nan")],
    "RUN_MODEL_TIMEOUT_SECONDS": [0.0, float("inf")],
    "RUN_DRAIN_SECONDS": [-0.1, float("nan")],
    "RUN_SLOTS": [0, -3],
    "RUN_MAX_CRASHES": [0],
    "RUN_STREAMS": [0, -1],
    "REMIT_FIRINGS_DAYS": [-1, 10_001],
}


def test_those_that_come_with_it_fit() -> None:
    assert check_timings() == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_each_is_a_number_of_use(settings: Any, name: str, value: float) -> None:
    setattr(settings, name, value)
    (error,) = check_timings()
    assert error.id == "runs.E001"
    assert f"REMIT_{name.removeprefix('REMIT_')}".replace("RUN_MODEL", "MODEL") in error.msg


def test_no_drain_is_a_choice(settings: Any) -> None:
    settings.RUN_DRAIN_SECONDS = 0.0
    assert check_timings() == []


def test_a_lease_outlasts_three_heartbeats(settings: Any) -> None:
    settings.RUN_LEASE_SECONDS, settings.RUN_HEARTBEAT_SECONDS = 3.0, 1.1
    assert [one.id for one in check_timings()] == ["runs.E002"]
    settings.RUN_HEARTBEAT_SECONDS = 1.0
    assert check_timings() == []


@pytest.mark.slow
def test_a_worker_does_not_begin_with_them(database: Any, tmp_path: Path) -> None:
    worker = Worker(tmp_path, "", REMIT_RUN_SLOTS="0", REMIT_RUN_DRAIN_SECONDS="-1")
    worker.start()
    try:
        assert worker.process is not None
        assert worker.process.wait(60) != 0
    finally:
        worker.kill()
    said = worker.log.read_text()
    assert "REMIT_RUN_SLOTS is 0, and must be at least 1." in said
    assert "REMIT_RUN_DRAIN_SECONDS is -1, and must be at least 0." in said
