"""The bells of a storm: lost, rung twice, counted, whoever carries them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from tests.proxies import Proxy
from tests.workers import superuser

_LONGEST = 8.0  # seconds
_RUN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Bells(Protocol):
    """A broker of bells, and the ways to it."""

    address: str | None
    ways: Sequence[Proxy]

    def lose(self) -> set[UUID]:
        """All messages that no worker has in its hand are gone; the runs that they named."""

    def unread(self) -> int:
        """How many messages no worker has seen yet."""

    def fall(self) -> int:
        """The broker is gone, and comes back; how many connections of workers broke."""


class EmbeddedBells:
    """Those of the broker in Postgres."""

    address: str | None = None

    def __init__(self, ways: Sequence[Proxy]) -> None:
        self.ways = ways

    def lose(self) -> set[UUID]:
        """All messages that no worker has in its hand are gone; the runs that they named."""
        with superuser() as database:
            # A bell that a stalled worker has in its hand is not waited for: who should let it go on meanwhile?
            lost = database.execute(
                "DELETE FROM pgmq.q_remit WHERE msg_id IN (SELECT msg_id FROM pgmq.q_remit FOR UPDATE SKIP LOCKED) "
                "RETURNING message->'headers'->>'argsrepr'"
            ).fetchall()
        return named(row[0] for row in lost)

    def unread(self) -> int:
        """How many messages no worker has seen yet."""
        with superuser() as database:
            row = database.execute("SELECT count(*) FROM pgmq.q_remit WHERE read_ct = 0").fetchone()
        return int(row[0]) if row else 0

    def fall(self) -> int:
        """All its sessions end; how many there were."""
        there = sum(one.connections for one in self.ways)
        with superuser() as database:
            ended = database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'remit_broker'"
            ).fetchall()
        return min(len(ended), there)


def named(bells: Iterable[str | None]) -> set[UUID]:
    """The runs that messages name, of which this is what the broker says of their arguments."""
    return {UUID(run) for bell in bells for run in _RUN.findall(bell or "")}


@contextmanager
def unheard(bells: Bells) -> Iterator[None]:
    """No worker hears a bell while the block runs; whatever else it does, it goes on doing."""
    ways = [one for one in bells.ways if one.flows]
    for one in ways:
        # Not for ever: a worker that hangs in the midst of a message may hold locks that whoever rings waits for.
        one.stall(_LONGEST)
    try:
        yield
    finally:
        for one in ways:
            one.flow()
