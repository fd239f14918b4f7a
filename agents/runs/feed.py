"""What happens in runs, told to whoever listens in this process: one LISTEN connection, and reads by number.

Its own small SQL under the serving role, with the organisation set: row-level security holds here too. A notice only
says *look again*: a reader polls every few seconds as well, so that a lost notice delays and never stalls.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from agents.runs.event_kinds import EVENT_FACTS

CHANNEL = "remit_events"
ACCESS = "remit_access"  # the organisation in which somebody may have lost access, or got it again
BATCH = 500
_POOL = 4
_AGAIN = 1.0  # seconds until a lost connection is made anew

log = structlog.get_logger(__name__)

# The database writes the JSON: a stream of 500 events costs one statement and no decoding. It holds facts only: whoever
# may read what was said asks the endpoints, which record it.
_EVENTS = """
    SELECT number, kind, json_build_object('run', run_id, 'number', number, 'kind', kind, 'at', at, 'data',
        (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(data) WHERE key = ANY(%s)))::text
    FROM runs_event WHERE run_id = %s AND number > %s ORDER BY number LIMIT %s
"""
_FACTS = sorted(EVENT_FACTS)


class Line(NamedTuple):
    """One event, ready to be sent: `text` is a JSON object."""

    number: int
    kind: str
    text: str


class Feed:
    """One for each process; everything is opened at first use, and so in the loop and after the fork."""

    def __init__(self) -> None:
        self._bells: dict[UUID, set[asyncio.Event]] = {}
        self._houses: dict[UUID, set[asyncio.Event]] = {}  # the same bells, by organisation
        self._changes: dict[UUID, int] = {}
        self._lost = 0
        self.notices = 0  # of access, in whatever organisation
        self._listener: asyncio.Task[None] | None = None
        self._pool: AsyncConnectionPool | None = None

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return sum(len(bells) for bells in self._bells.values())

    def changes(self, organisation: UUID) -> int:
        """Another number than before: rights may have changed there, so whoever listens is to be asked about again."""
        return self._changes.get(organisation, 0) + self._lost

    @contextmanager
    def subscribe(self, run: UUID, organisation: UUID) -> Iterator[asyncio.Event]:
        """A bell that rings when the run may have new events, and when `changes` has another number."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        bell = asyncio.Event()
        hung = ((self._bells, run), (self._houses, organisation))
        for places, name in hung:
            places.setdefault(name, set()).add(bell)
        try:
            yield bell
        finally:
            for places, name in hung:
                places[name].discard(bell)
                if not places[name]:
                    del places[name]
            if organisation not in self._houses:
                self._changes.pop(organisation, None)

    async def events(self, organisation: UUID, run: UUID, after: int) -> list[Line]:
        """Up to BATCH events of a run after a number, in order. Raises psycopg.Error or PoolTimeout."""
        pool = await self._open()
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('remit.organisation', %s, true)", [str(organisation)])
            cursor = await connection.execute(_EVENTS, [_FACTS, run, after, BATCH])
            return [Line(*row) for row in await cursor.fetchall()]

    async def close(self) -> None:
        """Let go of the database."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
        if self._pool is not None:
            await self._pool.close()
        self._listener = self._pool = None

    async def _open(self) -> AsyncConnectionPool:
        if self._pool is None:
            self._pool = AsyncConnectionPool(
                serving_address(), min_size=0, max_size=_POOL, timeout=10, max_idle=60, open=False, name="events"
            )
            await self._pool.open()
        return self._pool

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(serving_address(), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await connection.execute(f"LISTEN {ACCESS}")
                    self._lost += 1
                    self.notices += 1
                    self._ring_all()
                    async for notice in connection.notifies():
                        if notice.channel == ACCESS:
                            self._change(notice.payload)
                        else:
                            self._ring(notice.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("the event feed lost its connection", error=type(error).__name__)
            await asyncio.sleep(_AGAIN)

    def _ring(self, payload: str) -> None:
        for part in payload.split(","):
            with suppress(ValueError):
                for bell in self._bells.get(UUID(part.strip()), ()):
                    bell.set()

    def _change(self, payload: str) -> None:
        self.notices += 1
        try:
            organisation = UUID(payload)
        except ValueError:
            # Nobody knows whose it is: everybody is asked about again.
            self._lost += 1
            self._ring_all()
            return
        if organisation in self._houses:
            self._changes[organisation] = self._changes.get(organisation, 0) + 1
            for bell in self._houses[organisation]:
                bell.set()

    def _ring_all(self) -> None:
        for bells in self._bells.values():
            for bell in bells:
                bell.set()


def serving_address() -> str:
    """How libpq reaches the database as the serving role."""
    given = settings.DATABASES["default"]
    options = {name: value for name, value in given["OPTIONS"].items() if name != "pool"}
    return make_conninfo(
        host=given["HOST"] or None,
        port=given["PORT"] or None,
        dbname=given["NAME"],
        user=given["USER"] or None,
        password=given["PASSWORD"] or None,
        application_name="remit events",
        connect_timeout=10,
        **({"options": "-c TimeZone=UTC"} | options),
    )
