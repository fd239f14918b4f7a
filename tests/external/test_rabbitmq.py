"""With RabbitMQ as the broker: it crashes, its queue is emptied, bells are rung twice; no run minds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import ringing
from tests.external.rabbitmq import RabbitMQ
from tests.storms import live_through, storm

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
    ways = [{"BROKER_URL": broker.url}] * 2
    with (
        storm(monkeypatch, make_house, tmp_path, runs=60, workers=ways, broker=broker.do) as place,
        ringing(broker.url, {}),
    ):
        live_through(place, FAULTS, 180)
