"""kill -9 of worker, web, scheduler, supervisor and Postgres while calls are in flight: every run ends, each refund is
paid once.
"""

import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.journeys.conftest import Installation, free_port

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "platform" / "config" / "sample"
EXPECTED = json.loads((SAMPLE / "expected.json").read_text())
KILLS = ["worker", "web", "worker", "supervisor", "scheduler", "worker", "supervisor", "worker", "postgres", "worker"]
SEED = 20261123


_IN_FLIGHT = "SELECT run_id, number FROM runs_step WHERE state = 'intended' AND "
_FINISHED = "SELECT run_id, number FROM runs_step WHERE ended_at IS NOT NULL"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose model is silent from the moment it listens, so that the work is still to be done."""
    made = Installation(tmp_path / "var", free_port())
    try:
        _up(made)
        yield made
    finally:
        _signal(made, "rehearsal", signal.SIGCONT)
        made.down()


def _up(installation: Installation) -> None:
    is_up = threading.Event()

    def silence() -> None:
        while not _listens(installation) and not is_up.wait(0.02):
            pass
        _signal(installation, "rehearsal", signal.SIGSTOP)

    watcher = threading.Thread(target=silence)
    watcher.start()
    try:
        installation.up()
    finally:
        is_up.set()
        watcher.join()


def _listens(installation: Installation) -> bool:
    """Whether the model of this `up` takes connections."""
    try:
        told = json.loads((installation.data / "run" / "environment.json").read_text())
        if told["pid"] != (installation.process.pid if installation.process else 0):
            return False
        with socket.create_connection(("127.0.0.1", urlsplit(told["environment"]["REMIT_REHEARSAL_URL"]).port), 1):
            return True
    except (OSError, ValueError, KeyError):
        return False


def test_ten_kills_lose_and_repeat_nothing(installation: Installation) -> None:
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    for part in KILLS[:-1]:
        with _waiting_for_the_model(installation, chance.randrange(2, 6)):
            _kill(installation, part)
    with _waiting_for_the_ledger(installation):
        _kill(installation, KILLS[-1])
    installation.down()
    installation.up()
    deadline = time.monotonic() + 180
    while not installation.everything_ended() and time.monotonic() < deadline:
        _approve(installation)
        _let_it_work(0.5)
    assert installation.everything_ended(), installation.rows(
        "SELECT title, state, waits_for, failure FROM runs_run WHERE state IN ('queued', 'running', 'waiting')"
    )
    booked = installation.ledger()
    assert len(booked) == len(set(booked))
    expected = sorted((case["order"], case["amount_cents"]) for case in EXPECTED.values() if case["amount_cents"])
    assert booked == expected, installation.rows("SELECT title, state, failure FROM runs_run WHERE state = 'failed'")
    replies = sum(case["reply"] for case in EXPECTED.values())
    assert len(list((installation.data / "sample" / "outbox").glob("*.eml"))) == replies
    keys = installation.rows(
        "SELECT count(*), count(DISTINCT idempotency_key) FROM sample_ledger.refunds", role="OWNER"
    )
    assert keys[0][0] == keys[0][1]


@contextmanager
def _waiting_for_the_model(installation: Installation, more: int) -> Iterator[None]:
    """Calls of the model are in flight while the block runs, which begins when so many more steps have ended."""
    enough = len(_steps(installation, _FINISHED)) + more
    _signal(installation, "rehearsal", signal.SIGCONT)
    installation.wait(lambda: len(_steps(installation, _FINISHED)) >= enough, "some work")
    _signal(installation, "rehearsal", signal.SIGSTOP)
    seen: set[tuple[Any, ...]] = set()

    def hang() -> bool:
        """What was asked a look ago has no answer yet."""
        former = set(seen)
        seen.clear()
        seen.update(_steps(installation, _IN_FLIGHT + "kind = 'model_call'"))
        return bool(former & seen)

    installation.wait(hang, "a call of the model in flight")
    yield


@contextmanager
def _waiting_for_the_ledger(installation: Installation) -> Iterator[None]:
    """Everything is done but refunds that people have approved; they are under way while the block runs."""
    _signal(installation, "rehearsal", signal.SIGCONT)
    installation.wait(lambda: bool(_steps(installation, _FINISHED)), "the return of Postgres")
    installation.wait(installation.everything_ended_but_approvals, "the work that nobody is asked about")
    told = json.loads((installation.data / "run" / "environment.json").read_text())
    with psycopg.connect(told["environment"]["DATABASE_OWNER_URL"]) as ledger:
        ledger.execute("LOCK TABLE sample_ledger.refunds IN SHARE MODE")

        def pays() -> bool:
            _approve(installation)
            return bool(_steps(installation, _IN_FLIGHT + "name = 'payments.refund'"))

        installation.wait(pays, "a refund in flight")
        yield


def _steps(installation: Installation, statement: str) -> set[tuple[Any, ...]]:
    try:
        return set(installation.rows(statement))
    except psycopg.OperationalError:
        # Postgres is being started again.
        return set()


def _signal(installation: Installation, part: str, number: signal.Signals) -> bool:
    pid = installation.pid(part)
    try:
        if pid is not None:
            os.kill(pid, number)
    except ProcessLookupError:
        # It ended with what it needs, such as Postgres, and is being started again.
        return False
    return pid is not None


def _lives(pid: int | None) -> bool:
    try:
        # Of one that has ended, and that nobody has asked about, the command is empty.
        return pid is not None and bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def _kill(installation: Installation, part: str) -> None:
    if part != "supervisor":
        installation.wait(lambda: _signal(installation, part, signal.SIGKILL), f"the kill of {part}")
        return
    parts = [installation.pid(one) for one in ("worker", "scheduler", "web")]
    installation.down(signal.SIGKILL)
    installation.wait(lambda: not any(map(_lives, parts)), "the end of what the supervisor had begun")
    _up(installation)


def _approve(installation: Installation) -> None:
    # The web process may be the one that was just killed: whoever approves tries again.
    try:
        installation.approve_all()
    except (OSError, HTTPException, AssertionError, ValueError):
        return


def _let_it_work(seconds: float) -> None:
    signal.sigtimedwait([], seconds)
