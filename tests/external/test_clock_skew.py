"""Workers whose clocks are an hour wrong, each in another direction: time that decides is the database's."""

from pathlib import Path
from typing import Any

import pytest

from config.environment import ROOT
from tests.storms import LATE, LEASE, ROOMY, live_through, storm
from tests.workers import superuser

pytestmark = [pytest.mark.slow, pytest.mark.external(programs=("faketime",))]

FAULTS = {"kill": 3, "bells lost": 1, "cut": 2}
WRONG = ("+1h", "-1h")


def skewed(by: str) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong by so much; what measures durations is right.

    libfaketime's mend of waits on the monotonic clock, meant for an old C library, has them return at once: threads
    that wait for the interpreter's lock would spin, and a worker with many of them be ten times slower than its host.
    """
    library = next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
    paths = [str(path) for path in (Path(__file__).parent / "skewed", ROOT, ROOT / "platform")]
    return {"LD_PRELOAD": str(library), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0", "PYTHONPATH": ":".join(paths)}  # fmt: skip


def test_wrong_clocks_lose_and_repeat_nothing(monkeypatch: pytest.MonkeyPatch, make_house: Any, tmp_path: Path) -> None:
    ways = [ROOMY | skewed(by) for by in WRONG]
    with storm(monkeypatch, make_house, tmp_path, runs=60 - LATE, workers=ways) as place:
        live_through(place, FAULTS, 180)
        assert len(place.runs) == 60
        assert place.watch.latest <= LEASE
        with superuser() as database:
            wrong = database.execute(
                "SELECT count(*) FROM runs_run WHERE ended_at NOT BETWEEN created_at AND clock_timestamp()"
            ).fetchone()
        assert wrong == (0,), "every moment is the database's"
