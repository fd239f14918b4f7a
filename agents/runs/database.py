"""The connections on which groups of commits are written: psycopg itself, no ORM."""

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from psycopg import Connection
from psycopg.conninfo import make_conninfo
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
