"""The database's time, as a process knows it: an answer comes late, never early."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.runs.clock import DatabaseClock, clock
from foundation.instants import database_now

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def behind(database: Any) -> Iterator[timedelta]:
    """The clock of this process has heard of the time late, as on a machine that is busy."""
    late = timedelta(minutes=1)
    clock.__init__()  # type: ignore[misc] - begins anew, for all who hold it
    clock.set(database_now() - late)
    yield late
    clock.__init__()  # type: ignore[misc]


def test_an_answer_that_was_long_on_its_way_sets_nothing_back() -> None:
    one = DatabaseClock()
    one.set(NOON)
    one.set(NOON - 5 * SECOND)
    assert NOON <= one.now() < NOON + 30 * SECOND


def test_one_that_was_quicker_is_believed() -> None:
    one = DatabaseClock()
    one.set(NOON)
    one.set(NOON + 40 * SECOND)
    assert one.now() >= NOON + 40 * SECOND


def test_what_was_heard_a_minute_ago_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's clock may be set back, too."""
    seconds = [1_000.0]
    monkeypatch.setattr("agents.runs.clock.time.monotonic", lambda: seconds[0])
    one = DatabaseClock()
    one.set(NOON)
    seconds[0] += 61
    one.set(NOON - 3600 * SECOND)
    assert one.now() == NOON - 3600 * SECOND


def test_a_price_that_is_there_counts_however_late_the_clock_is(house: Any, say: Any, behind: timedelta) -> None:
    """It was set within the last minute, which the clock of this process has not heard of yet."""
    house.model.answers = {"worker": [say("Done.")]}
    run = house.run(house.start())
    assert run.state == "succeeded", run.failure
