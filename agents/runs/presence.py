"""Whether a worker lives: each holds an advisory lock in a database session of its own for as long as it does.

When a process dies, however it dies, its session ends and Postgres lets go of the lock at once. The other workers look
for locks that are gone, and take over the runs of whoever held them. Where sessions end without a farewell (a host that
loses its power, a pooler between), the runs' leases run out, which takes longer.
"""

import os
import secrets
import threading
import time
from collections.abc import Callable
from uuid import UUID

import psycopg
import structlog

from agents.runs.database import engine_address
from agents.runs.models import WORKER_LOCKS

log = structlog.get_logger(__name__)

_LOOK = 0.06  # seconds between two looks while there are other workers
_REST = 2.0  # seconds between two looks while there are none
_GRACE = 3.0  # seconds after a lost connection in which nobody is taken for dead: Postgres itself may have begun anew
_SIGHTINGS = 2  # looks in which a lock has to be missing

_GONE = """
SELECT h.name, h.number, l.pid IS NULL FROM runs_heartbeat h
LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.classid = %s AND l.objid = h.number AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
WHERE h.kind = 'worker' AND h.number <> 0 AND h.name <> %s
"""
# A worker that is only cut off finds its fence outdated, and its writes change nothing. One that has come back since
# with another lock is not dead: it keeps its number, by which it is missed when it dies.
_TAKE_OVER = """
WITH dead AS (
    UPDATE runs_heartbeat h SET number = 0 FROM unnest(%s::text[], %s::bigint[]) AS missed(name, number)
    WHERE h.name = missed.name AND h.number = missed.number RETURNING h.name
)
UPDATE runs_run SET lease_until = clock_timestamp(), rung_at = clock_timestamp()
WHERE id IN (SELECT id FROM runs_run WHERE state = 'running' AND worker IN (SELECT name FROM dead)
    ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class Presence:
    """This worker's lock, and its eye on those of the others. `take_over` is told which runs have lost theirs."""

    def __init__(self, worker: str, take_over: Callable[[list[UUID]], None]) -> None:
        self.number, self._patience = 0, 0.0
        self._worker, self._take_over = worker, take_over
        self._over = threading.Event()
        self._missing: dict[tuple[str, int], int] = {}
        self._present: set[str] = set()
        self._thread = threading.Thread(target=self._watch, name="presence", daemon=True)

    def start(self) -> None:
        """Be there."""
        self._thread.start()

    def stop(self) -> None:
        """Leave; the lock is let go of."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                with psycopg.connect(engine_address("presence"), autocommit=True) as connection:
                    self._be_there(connection)
            except (psycopg.Error, OSError) as error:
                self.number, self._patience = 0, _GRACE
                log.warning("this worker's lock is lost", error=type(error).__name__)
                self._over.wait(_LOOK)

    def _be_there(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        number = connection.info.backend_pid
        connection.execute("SELECT pg_advisory_lock(%s, %s)", [WORKER_LOCKS, number])
        connection.execute(
            "INSERT INTO runs_heartbeat (name, kind, number, seen_at, started_at) "
            "VALUES (%s, 'worker', %s, clock_timestamp(), clock_timestamp()) "
            "ON CONFLICT (name) DO UPDATE SET number = excluded.number, seen_at = excluded.seen_at",
            [self._worker, number],
        )
        self.number, self._missing, since = number, {}, time.monotonic()
        while not self._over.is_set():
            others = connection.execute(_GONE, [WORKER_LOCKS, self._worker]).fetchall()
            self._notice_leavers({str(name) for name, _, _ in others})
            if time.monotonic() - since > self._patience and (dead := self._dead(others)):
                names = [name for name, _ in dead]
                found = connection.execute(_TAKE_OVER, [names, [missed for _, missed in dead]]).fetchall()
                log.warning("taking over from dead workers", workers=names, runs=len(found))
                self._take_over([UUID(str(run)) for (run,) in found])
            self._over.wait(_LOOK if others else _REST)
        connection.execute("UPDATE runs_heartbeat SET number = 0 WHERE name = %s", [self._worker])

    def _notice_leavers(self, present: set[str]) -> None:
        """Whoever ended in order has let go of its runs, and rings for none of them."""
        if self._present - present:
            self._take_over([])
        self._present = present

    def _dead(self, others: "list[tuple[object, ...]]") -> list[tuple[str, int]]:
        missing = [(str(name), int(str(missed))) for name, missed, is_missing in others if is_missing]
        self._missing = {one: self._missing.get(one, 0) + 1 for one in missing}
        return sorted(one for one, times in self._missing.items() if times >= _SIGHTINGS)


def own_name() -> str:
    """A name of this process, which no other has or had: a container that begins anew has host and number of before."""
    return f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(3)}"
