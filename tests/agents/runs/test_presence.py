"""Who is missed: a worker whose lock is gone, and not one that was cut off and has come back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from agents.runs.presence import Presence
from tests.houses import says
from tests.workers import superuser, until

NOBODYS = 2_000_000_000  # no session has such a number


class Slow(Presence):
    """Between its look and what it does about it the other one comes back."""

    come_back: Any = None
    looks = 0

    def _dead(self, others: list[tuple[object, ...]]) -> list[tuple[str, int]]:
        found = super()._dead(others)
        self.looks += 1
        if self.come_back is not None and found:
            self.come_back()
            self.come_back = None
        return found


@contextmanager
def there(presence: Presence) -> Iterator[Presence]:
    presence.start()
    try:
        yield presence
    finally:
        presence.stop()


@pytest.fixture
def lost(database: Any) -> Iterator[str]:
    """A worker that has said that it lives, and whose lock nobody has."""
    name = f"elsewhere:{uuid4()}"
    with superuser() as rows:
        rows.execute(
            "INSERT INTO runs_heartbeat (name, kind, number, seen_at, started_at) "
            "VALUES (%s, 'worker', %s, clock_timestamp(), clock_timestamp())", [name, NOBODYS],
        )  # fmt: skip
    with database():
        yield name
    with superuser() as rows:
        rows.execute("DELETE FROM runs_heartbeat WHERE name = %s", [name])


def number(rows: Connection[Any], name: str) -> int:
    row = rows.execute("SELECT number FROM runs_heartbeat WHERE name = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


def test_who_has_lost_its_lock_is_missed(lost: str, house: Any) -> None:
    house.model.answers = {"worker": [says("Done.")]}
    run = house.start()
    told: list[list[UUID]] = []
    with superuser() as rows:
        rows.execute("UPDATE runs_run SET state = 'running', worker = %s, lease_until = clock_timestamp() + "
                     "interval '1 hour' WHERE id = %s", [lost, run.id])  # fmt: skip
        with there(Presence(f"here:{uuid4()}", told.append)):
            until(lambda: any(run.id in runs for runs in told), 20, lambda: told)
        assert number(rows, lost) == 0, "and is not missed twice"
    assert house.run(run).state == "succeeded", "its lease has ended, and others go on"


def test_who_comes_back_meanwhile_is_missed_when_it_dies(lost: str) -> None:
    watcher, other = Slow(f"here:{uuid4()}", lambda _: None), Presence(lost, lambda _: None)
    with superuser() as rows:

        def come_back() -> None:
            other.start()
            until(lambda: number(rows, lost) not in {0, NOBODYS}, 20, lambda: number(rows, lost))

        watcher.come_back = come_back
        try:
            with there(watcher):
                until(lambda: watcher.come_back is None, 20, lambda: number(rows, lost))
                # Two looks later at the latest it would have been taken for dead.
                looks = watcher.looks
                until(lambda: watcher.looks > looks + 3, 20, lambda: watcher.looks)
                assert number(rows, lost) == other.number != 0
        finally:
            other.stop()
