"""Processes that begin at the same moment all get the broker's trigger: the first makes it, the others find it."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

AT_ONCE = 8
TRIGGER = "SELECT count(*) FROM pg_trigger WHERE tgname = 'trigger_notify_queue_insert_listeners'"


def broker() -> "psycopg.Connection[tuple[int]]":
    return psycopg.connect(os.environ["BROKER_URL"].replace("pgmq://", "postgresql://"), autocommit=True)


@pytest.mark.parametrize("is_there", [False, True])
def test_all_that_begin_at_once_are_notified(is_there: bool) -> None:
    gate = Barrier(AT_ONCE)

    def begin(_: int) -> None:
        with broker() as one:
            gate.wait(20)
            one.execute("SELECT pgmq.enable_notify_insert('remit', 0)")

    with broker() as first, ThreadPoolExecutor(AT_ONCE) as pool:
        if not is_there:
            first.execute("SELECT pgmq.disable_notify_insert('remit')")
        list(pool.map(begin, range(AT_ONCE)))
        assert first.execute(TRIGGER).fetchone() == (1,)


def test_another_patience_is_taken_over() -> None:
    told = "SELECT throttle_interval_ms FROM pgmq.notify_insert_throttle WHERE queue_name = 'remit'"
    with broker() as one:
        for patience in (250, 0):
            one.execute("SELECT pgmq.enable_notify_insert('remit', %s)", [patience])
            assert one.execute(told).fetchone() == (patience,)
