"""Whoever is cut off in the midst of a message holds the queue's locks for seconds, not for as long as TCP believes."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest


@pytest.fixture
def broker() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(os.environ["BROKER_URL"].replace("pgmq://", "postgresql://")) as connection:
        yield connection


@pytest.mark.slow
def test_a_transaction_that_stands_still_is_ended_and_its_locks_are_free(broker: psycopg.Connection[Any]) -> None:
    broker.execute("LOCK TABLE pgmq.q_remit IN ROW EXCLUSIVE MODE")
    done = threading.Event()

    def declare() -> None:
        with psycopg.connect(os.environ["BROKER_URL"].replace("pgmq://", "postgresql://")) as other:
            other.execute("LOCK TABLE pgmq.q_remit IN SHARE MODE")
        done.set()

    threading.Thread(target=declare, daemon=True).start()
    assert done.wait(20), "whoever declares the queue gets through"
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        broker.execute("SELECT 1")
    broker.close()
