"""The whole of Remit as a newcomer starts it: `manage.py up` in a data directory of its own, used over real HTTP."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("REMIT_", "DATABASE_", "BROKER_", "DJANGO_", "PYTEST_")
PATIENCE = 180.0  # seconds


@dataclass
class Installation:
    """A data directory, a port, and the `up` that serves them."""

    data: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)
    key: str = ""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """A newcomer's environment: nothing of this suite's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return kept | {
            "REMIT_DATA_DIR": str(self.data),
            "REMIT_RUN_LEASE_SECONDS": "6",
            "REMIT_RUN_HEARTBEAT_SECONDS": "1",
            # Ten kills in a row, on a machine so busy that a run gets nowhere between them, make no poison run.
            "REMIT_RUN_MAX_CRASHES": "20",
        }

    def up(self) -> None:
        """Start, and wait until it says that it is ready."""
        self.said.clear()
        command = [sys.executable, "manage.py", "up", "--data-dir", str(self.data), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, *self.options], cwd=ROOT, env=self.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        pipe = self.process.stdout
        while pipe is not None and time.monotonic() < deadline:
            ready, _, _ = select.select([pipe], [], [], 1)
            # Read past the buffer of the pipe's file object: select sees the descriptor only.
            read = os.read(pipe.fileno(), 65_536).decode() if ready else ""
            self.said.append(read)
            if "Sign in once with" in "".join(self.said):
                return
            if ready and not read:
                break
        raise AssertionError("up did not get ready:\n" + "".join(self.said))

    def down(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it with a signal, and wait for its end."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.communicate(timeout=60)
            self.process = None

    def manage(self, *arguments: str) -> str:
        """A command of `manage.py` beside the running `up`; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment(), capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A REST call with the administrator's key; the JSON answer, or AssertionError with the problem."""
        if not self.key:
            self.key = self.manage("create_api_key", "--email", "admin@northwind.example")
        request = Request(
            f"{self.url}/api/v1/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers},
        )  # fmt: skip
        try:
            with urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                said = error.read().decode()[:500]
            raise AssertionError(f"{method} {path}: {error.code} {said}") from None

    def all(self, path: str) -> list[dict[str, Any]]:
        """All rows of a list, page by page."""
        rows, address = [], path + ("&" if "?" in path else "?") + "limit=200"
        while address:
            page = self.call("GET", address)
            rows += page["items"]
            following = page.get("next")
            address = following.partition("/api/v1/")[2] if following else ""
        return rows

    def rows(self, statement: str, role: str = "SYSTEM") -> list[tuple[Any, ...]]:
        """What a statement finds in the database, under the system role."""
        told = json.loads((self.data / "run" / "environment.json").read_text())
        with psycopg.connect(told["environment"][f"DATABASE_{role}_URL"]) as connection:
            return connection.execute(statement.encode()).fetchall()

    def ledger(self) -> list[tuple[Any, ...]]:
        """What the agents booked in the sandbox's ledger: order, cents."""
        return self.rows(
            "SELECT order_number, amount_cents FROM sample_ledger.refunds WHERE idempotency_key LIKE 'remit-%' "
            "ORDER BY 1, 2",
            role="OWNER",
        )

    def pid(self, part: str) -> int | None:
        """The process of a part, if its file is there."""
        try:
            return int((self.data / "run" / f"{part}.pid").read_text())
        except (OSError, ValueError):
            return None

    def approve_all(self) -> int:
        """Say yes to everything that waits; how many."""
        waiting = self.all("approvals?state=waiting")
        for request in waiting:
            self.call("POST", f"approvals/{request['id']}/approve", {"digest": request["digest"], "reason": "checked"})
        return len(waiting)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        pause = select.poll()
        while not condition():
            if time.monotonic() > deadline:
                states = self.rows("SELECT state, waits_for, count(*) FROM runs_run GROUP BY 1, 2")
                raise AssertionError(f"{what} did not happen in {PATIENCE:.0f} s: {states}")
            pause.poll(200)

    def everything_ended_but_approvals(self) -> bool:
        """Whether every run has ended, or waits for a person, or for one that does."""
        moving = self.rows(
            "SELECT count(*) FROM runs_run WHERE state IN ('queued', 'running') OR state = 'waiting' "
            "AND waits_for NOT IN ('approval', 'child')"
        )[0][0]
        ended = self.rows("SELECT count(*) FROM runs_run")[0][0]
        return ended > 0 and moving == 0

    def everything_ended(self) -> bool:
        """Whether every run has ended."""
        return self.rows("SELECT count(*) FROM runs_run WHERE state IN ('queued', 'running', 'waiting')")[0][0] == 0


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One that has started, with the sample; stopped with the module."""
    made = Installation(tmp_path_factory.mktemp("journey") / "var", free_port())
    try:
        made.up()
        yield made
    finally:
        made.down()
