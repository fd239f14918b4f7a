"""With RabbitMQ as the broker: it crashes, its queue is emptied, bells are rung twice; no run minds."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.external.rabbitmq import RabbitBells, RabbitMQ
from tests.proxies import Proxy
from tests.storms import LATE, LEASE, ROOMY, live_through, storm

pytestmark = [pytest.mark.slow, pytest.mark.external(programs=("rabbitmq-server", "epmd"))]

FAULTS = {"loss of the broker": 2, "bells lost": 2, "bells rung twice": 2, "kill": 2}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RabbitMQ]:
    """One of its own."""
    folder = tmp_path / "rabbitmq"
    folder.mkdir()
    made = RabbitMQ(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_runs_outlive_the_broker(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, broker: RabbitMQ, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        ways = [stack.enter_context(Proxy(broker.port)) for _ in range(2)]
        late = LATE * FAULTS["bells lost"]
        bells = RabbitBells(broker, ways)
        with storm(monkeypatch, make_house, tmp_path, runs=60 - late, workers=[ROOMY] * 2, bells=bells) as place:
            live_through(place, FAULTS, 180)
            assert len(place.runs) == 60
            assert place.watch.latest <= LEASE, "nobody waits longer for another worker"
