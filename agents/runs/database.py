"""The connections on which groups of commits are written: psycopg itself, prepared statements, no ORM."""

import atexit
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from psycopg import Connection, Error, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg_pool import ConnectionPool

from agents.runs.journal import ENGINE
from foundation.persistence import POOL, connect_no_more

_MOST = 4  # a process has one leader at a time; the others are spare

_OPTIONS = " ".join(
    f"-c {option}"
    for option in (
        "TimeZone=UTC",
        # Statistics of young partitions would have the planner read whole tables; all rows here are found by key.
        "jit=off",
        "enable_seqscan=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "enable_material=off",
        "plan_cache_mode=force_generic_plan",
    )
)

_lock = threading.Lock()
_pools: dict[tuple[object, ...], ConnectionPool[Connection[tuple[object, ...]]]] = {}


def engine_pool() -> ConnectionPool[Connection[tuple[object, ...]]]:
    """The pool of this process, opened at first use and so after a fork."""
    given = settings.DATABASES[ENGINE]
    place = (os.getpid(), given["HOST"], given["PORT"], given["NAME"])
    with _lock:
        found = _pools.get(place)
        if found is None:
            found = _pools[place] = ConnectionPool(
                engine_address(),
                kwargs={"autocommit": True},
                open=True,
                min_size=0,
                max_size=_MOST,
                timeout=10,
                max_idle=60,
                name="commits",
                **POOL,
            )
            # While its threads still run: from Python 3.13 on, one that is found open at the very end waits in vain.
            atexit.register(found.close)
            # What is registered last is called first.
            atexit.register(connect_no_more)
        return found


@contextmanager
def engine_connection() -> Iterator[Connection[tuple[object, ...]]]:
    """A connection of the pool, without a transaction."""
    pool = engine_pool()
    connection = pool.getconn()
    try:
        yield connection
    finally:
        pool.putconn(connection)


class Sender:
    """A cursor that sends a statement as it is, with `$1` for parameters, prepared once for each connection.

    libpq is asked itself: nothing is looked for in the statement, parameters are bytes, and values come back as text.
    """

    def __init__(self, connection: Connection[tuple[object, ...]]) -> None:
        self._server = connection.pgconn
        self._names = _prepared.setdefault(connection, {})
        self._rows: list[tuple[str | None, ...]] = []

    def execute(self, sql: str, params: Sequence[bytes] = ()) -> None:
        """Run one statement. Raises an error of the database."""
        try:
            self._run(sql, params)
        except InvalidSqlStatementName:
            # psycopg lets go of all prepared statements when it rolls back. Nothing was run.
            self._names.clear()
            self._run(sql, params)

    def fetchone(self) -> tuple[str | None, ...] | None:
        """One row, or None."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """All rows."""
        rows, self._rows = self._rows, []
        return rows

    def _run(self, sql: str, params: Sequence[bytes]) -> None:
        name = self._names.get(sql)
        if name is None:
            name = b"remit_%d" % next(_numbers)
            made = self._server.prepare(name, sql.encode())
            if made.status != ExecStatus.COMMAND_OK:
                raise self._error(made)
            self._names[sql] = name
        found = self._server.exec_prepared(name, list(params))
        if found.status != ExecStatus.TUPLES_OK:
            raise self._error(found)
        columns = range(found.nfields)
        values = ([found.get_value(row, column) for column in columns] for row in range(found.ntuples))
        self._rows = [tuple(None if one is None else one.decode() for one in row) for row in values]

    def _error(self, result: PGresult) -> Error:
        if self._server.status != ConnStatus.OK:
            # Nobody knows whether it was written.
            return OperationalError("The connection to the database was lost.")
        return error_from_result(result)


_prepared: WeakKeyDictionary[Connection[tuple[object, ...]], dict[str, bytes]] = WeakKeyDictionary()
_numbers = count()


def engine_address(purpose: str = "commits") -> str:
    """How libpq reaches the database as the engine's role."""
    given = settings.DATABASES[ENGINE]
    options = {name: value for name, value in given["OPTIONS"].items() if name not in {"pool", "options"}}
    extra = given["OPTIONS"].get("options", "")
    return make_conninfo(
        host=given["HOST"] or None,
        port=given["PORT"] or None,
        dbname=given["NAME"],
        user=given["USER"] or None,
        password=given["PASSWORD"] or None,
        application_name=f"remit {purpose}",
        connect_timeout=10,
        **({**options, "options": f"{_OPTIONS} {extra}".strip()}),
    )
