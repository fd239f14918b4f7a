"""Real worker processes on this test's database, to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
_STACKS = 30_000  # characters


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
        """The end of its log; where it still runs, it ends here, and says where each of its threads stands."""
        told = self.log.read_text()[-3000:]
        if self.process is None or not self.is_alive:
            return f"{told}\nIt had ended."
        before = self.log.stat().st_size
        self.process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        return f"{told}\n{self.log.read_bytes()[before:].decode(errors='replace')[:_STACKS]}"

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
