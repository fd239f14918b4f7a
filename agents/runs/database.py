"""The connections on which groups of commits are written: psycopg itself, prepared statements, no ORM."""

import os
import threading

from django.conf import settings
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from agents.runs.journal import ENGINE

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
            )
        return found


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
