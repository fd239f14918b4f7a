"""150 runs of five effects each, while workers are killed, Postgres crashes, connections are cut and stall, bells are
lost and rung twice: every run ends, no step is missing, no effect is repeated; a file outside is the witness.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.storms import LEASE, live_through, storm

pytestmark = pytest.mark.slow

FAULTS = {"kill": 4, "crash of postgres": 2, "cut": 4, "stall": 3, "bells lost": 3, "bells rung twice": 3}


def test_whatever_goes_wrong_every_run_ends_and_no_effect_is_repeated(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, tmp_path: Path
) -> None:
    with storm(monkeypatch, make_house, tmp_path, runs=150) as place:
        live_through(place, FAULTS, 240)
        assert place.latest <= LEASE, "nobody waits longer for another worker"
