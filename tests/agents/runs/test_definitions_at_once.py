"""Runs that are taken over together ask for the same definitions together: the database is asked once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from agents.runs.definitions import Definitions
from foundation.ids import uuid7

MANY = 20


def test_one_asks_and_the_others_hear_of_it(database: Any) -> None:
    known, asked, together = Definitions(uuid7(), 1), [], threading.Barrier(MANY)

    def read() -> str:
        asked.append(threading.get_ident())
        with connections["engine"].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")
        return "found"

    def ask(_: int) -> str:
        with database():
            together.wait(10)
            found = known.once("what", read)
        connections.close_all()
        return found

    with ThreadPoolExecutor(MANY) as pool:
        assert set(pool.map(ask, range(MANY))) == {"found"}
    assert len(asked) == 1


def test_who_waits_for_long_asks_by_itself(database: Any) -> None:
    known, begun, over = Definitions(uuid7(), 1), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert over.wait(10)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: known.once("what", slow))
        assert begun.wait(10)
        assert known.once("what", lambda: "by itself") == "by itself"
        over.set()
        assert first.result(10) in {"slow", "by itself"}


def test_what_failed_is_asked_again(database: Any) -> None:
    known, told = Definitions(uuid7(), 1), iter([KeyError("no"), None])

    def read() -> str:
        if (error := next(told)) is not None:
            raise error
        return "found"

    for wanted in (False, True):
        try:
            found = known.once("what", read) == "found"
        except KeyError:
            found = False
        assert found is wanted
