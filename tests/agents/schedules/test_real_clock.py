"""The product's own workers and clocks: two of each, killed again and again; each moment starts one run that ends."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.agents.schedules.conftest import Rota
from tests.workers import Worker, running, until

EVERY = 10  # seconds


@pytest.mark.slow
def test_moments_outlive_the_schedulers_that_are_killed(rota: Rota, tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - which one is killed, the same each time
    allow = rota.house.model.url.split("/")[2]
    schedulers = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        schedulers.append(Worker(tmp_path / str(number), allow))
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    schedules = [
        rota.make(name=f"Every {number}", kind="interval", expression=str(EVERY), catch_up="all", overlap="allow",
                  starts_at=begin + timedelta(seconds=number), ends_at=begin + timedelta(seconds=number + 3 * EVERY))
        for number in range(4)
    ]  # fmt: skip

    def standing() -> object:
        states = [(rota.read(one).next_at, rota.states(one)) for one in schedules]
        return states, [one.log.read_text()[-2_000:] for one in schedulers]

    with running(schedulers[0]), running(schedulers[1]):
        for kills in range(1, 6):
            until(lambda kills=kills: len(rota.runs()) >= 2 * kills, 90, standing)
            victim = chance.choice(schedulers)
            victim.kill()
            victim.start()
        until(lambda: all(rota.read(one).next_at is None for one in schedules), 120, standing)
        until(lambda: all(map(rota.house.is_over, rota.runs())), 120, standing)
    for schedule in schedules:
        firings = rota.firings(schedule)
        assert [firing.due_at for firing in firings] == [
            schedule.starts_at + timedelta(seconds=EVERY * number) for number in range(4)
        ]
        assert {firing.state for firing in firings} == {"started"}
        assert len({firing.run_id for firing in firings}) == 4
    runs = rota.runs()
    assert len(runs) == 4 * len(schedules)
    assert {run.state for run in runs} == {"succeeded"}
    assert all(one.id < other.id for one, other in pairwise(runs))
