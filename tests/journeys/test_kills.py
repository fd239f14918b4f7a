"""kill -9 of worker, web, scheduler and supervisor at random moments: every run ends, each refund is paid once."""

import json
import os
import random
import signal
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "platform" / "config" / "sample"
EXPECTED = json.loads((SAMPLE / "expected.json").read_text())
KILLS = ["worker", "web", "worker", "supervisor", "scheduler", "worker", "supervisor", "worker", "postgres", "worker"]
SEED = 20261123


def test_ten_kills_lose_and_repeat_nothing(installation: Any) -> None:
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    for part in KILLS:
        _let_it_work(chance.uniform(0.2, 2.5))
        if part == "supervisor":
            parts = [installation.pid(one) for one in ("worker", "scheduler", "web")]
            installation.down(signal.SIGKILL)
            installation.wait(lambda left=parts: not any(map(_lives, left)), "the end of what the supervisor had begun")
            installation.up()
        else:
            _kill(installation, part)
        _approve(installation)
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


def _lives(pid: int | None) -> bool:
    try:
        # Of one that has ended, and that nobody has asked about, the command is empty.
        return pid is not None and bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def _kill(installation: Any, part: str) -> None:
    def was_killed() -> bool:
        pid = installation.pid(part)
        try:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            # It ended with what it needs, such as Postgres, and is being started again: kill the next one.
            return False
        return pid is not None

    installation.wait(was_killed, f"the kill of {part}")


def _approve(installation: Any) -> None:
    # The web process may be the one that was just killed: whoever approves tries again.
    try:
        installation.approve_all()
    except (OSError, HTTPException, AssertionError, ValueError):
        return


def _let_it_work(seconds: float) -> None:
    signal.sigtimedwait([], seconds)
