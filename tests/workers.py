"""Real worker processes on this test's database, to be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
TOLD = "Each thread has been told of."
_NAME = re.compile(r"^(Current thread|Thread) (?:0x\w+|run-\d+|pool-\S+|worker-\S+)")  # of many alike


class Worker:
    """A Celery worker with its beat, whose leases are short."""

    def __init__(self, folder: Path, allow: str, **environment: str) -> None:
        self.log = folder / "worker.log"
        self.environment = {
            **os.environ, "DJANGO_SETTINGS_MODULE": "tests.worker_settings", "REMIT_OUTBOUND_ALLOW": allow,
            "REMIT_RUN_LEASE_SECONDS": "2", "REMIT_RUN_HEARTBEAT_SECONDS": "0.4", "REMIT_RUN_MAX_CRASHES": "20",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PYTHONFAULTHANDLER": "1", **environment,
        }  # fmt: skip
        self.command = [
            sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--pool", "threads", "--concurrency", "4",
            "--loglevel", "INFO", "-B", "--schedule", str(folder / "beat"), "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, or begin again."""
        self.kill()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """The end of its log; and where it still runs, where each of its threads stands. It may end of being asked."""
        told = self.log.read_text()[-3000:]
        if self.process is None or not self.is_alive:
            return f"{told}\nIt had ended."
        # In its own words; or, where nobody hears the signal, in Python's, for the first hundred threads.
        stacks = self._told(signal.SIGUSR2) or self._told(signal.SIGABRT)
        # Most threads wait for work at the same place.
        alike = Counter(_NAME.sub(r"\1", one.replace(f"{ROOT}/", "")) for one in stacks.split("\n\n"))
        return "\n\n".join([told, *(f"{times} x {stack}" for stack, times in alike.items())])

    def _told(self, sign: signal.Signals) -> str:
        """What it writes when it hears a signal, until it has written `TOLD` or ended; nothing if it does neither."""
        assert self.process is not None
        before, deadline = self.log.stat().st_size, time.monotonic() + 5
        self.process.send_signal(sign)
        while time.monotonic() < deadline:
            is_alive = self.is_alive
            words = self.log.read_bytes()[before:].decode(errors="replace")
            if TOLD in words or not is_alive:
                return words
            time.sleep(0.1)
        return ""

    def kill(self) -> None:
        """End it at once, without a word."""
        if self.process is not None:
            # The whole group: a worker that killed itself leaves its clock behind.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    """A worker while the block runs; what other tests left in the queue and in their runs is not its work."""
    with superuser() as database:
        database.execute("DELETE FROM pgmq.q_remit WHERE enqueued_at < now() - interval '20 seconds'")
        database.execute(
            "UPDATE runs_run SET state = 'cancelled', ended_at = now(), waits_for = '', waits_on = NULL "
            "WHERE state IN ('queued', 'running', 'waiting') AND created_at < now() - interval '20 seconds'"
        )
    worker.start()
    try:
        yield worker
    finally:
        worker.kill()


def until(condition: Callable[[], Any], seconds: float, what: Callable[[], object]) -> None:
    """Wait for something, at most so long; `what` tells how things stand if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s: {what()}"
        time.sleep(0.1)


@contextmanager
def superuser() -> Iterator[psycopg.Connection[Any]]:
    """A session in this test's database that no right and no trigger stops, each statement its own transaction."""
    name = os.environ["DATABASE_URL"].rpartition("/")[2]
    address = os.environ["REMIT_TEST_SUPERUSER"].rpartition("/")[0] + f"/{name}"
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


def end_all_runs() -> None:
    """Whatever runs a test has left: a worker would wait for those that crashed often, and take no others."""
    with superuser() as database:
        database.execute("UPDATE runs_run SET state = 'cancelled', ended_at = now(), waits_for = '', waits_on = NULL "
                         "WHERE state IN ('queued', 'running', 'waiting')")  # fmt: skip
