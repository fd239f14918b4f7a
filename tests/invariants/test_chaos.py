"""150 runs of five effects each, while workers are killed, Postgres crashes, connections are cut and stall, the broker
goes away, bells are lost and rung twice: every run ends, no step is missing, no effect is repeated; a file outside is
the witness. Each fault meets calls in flight.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.storms import LATE, LEASE, live_through, storm

pytestmark = pytest.mark.slow

FAULTS = {"kill": 4, "crash of postgres": 2, "cut": 4, "stall": 3, "loss of the broker": 2, "bells lost": 3,
          "bells rung twice": 3}  # fmt: skip


def test_whatever_goes_wrong_every_run_ends_and_no_effect_is_repeated(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, tmp_path: Path
) -> None:
    late = LATE * FAULTS["bells lost"]
    with storm(monkeypatch, make_house, tmp_path, runs=150 - late) as place:
        live_through(place, FAULTS, 240)
        assert len(place.runs) == 150
        assert place.watch.latest <= LEASE, "nobody waits longer for another worker"
