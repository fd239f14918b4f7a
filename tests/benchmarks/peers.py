"""The peers, by their own harness outside the repository: the same machine, in turn with Remit."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.loads import LOOP, Load

# The best of its modes for each number at once; all were tried (docs/performance.md).
_DBOS = {1: "dbos_direct", 16: "dbos_direct", 64: "dbos_direct"}
_NAMES = {
    "steps_s": "steps_per_second", "p50": "p50_ms", "p99": "p99_ms", "commits_step": "commits_a_step",
    "wal_sync_step": "wal_syncs_a_step", "cli_cpu_us": "client_cpu_us_a_step", "pg_cpu_us": "postgres_cpu_us_a_step",
}  # fmt: skip
_PATIENCE = 120  # seconds that a peer may take beyond its time
_TRIES = 2


class Peers:
    """DBOS and Celery with Redis, if their harness is in `folder`."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.failures: list[str] = []

    def measure(self, load: Load, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """One measurement of each peer that bears this load."""
        if self.folder is None:
            return
        if load.shape is LOOP:
            asked = [("openai_agents_on_dbos", "oai_agents_dbos", load.processes, {})]
        else:
            # Celery's worker has processes of its own.
            celery = ("celery_redis", "celery_redis", 1, {"CELERY_PROCS": str(load.processes)})
            asked = [("dbos", _DBOS[load.at_once], load.processes, {}), celery]
        for name, peer, processes, more in asked:
            for _ in range(_TRIES):
                if (found := self._run(peer, load, processes, seconds, more)) is not None:
                    yield name, found
                    break

    def daemons(self) -> list[int]:
        """The servers that the peers use: what they take is not foreign."""
        if self.folder is None:
            return []
        files = (self.folder / "pgdata" / "postmaster.pid", self.folder / "out" / "redis.pid")
        return [int(file.read_text().split()[0]) for file in files if file.exists()]

    def told(self) -> dict[str, Any]:
        """Whether there was anything to compare with, and which attempts gave no figures."""
        if self.folder is None:
            return {"measured": "none: --peers names no harness, so Remit is alone"}
        return {"measured": "in turn with Remit", "failed_attempts": self.failures}

    def _run(
        self, peer: str, load: Load, processes: int, seconds: float, more: dict[str, str]
    ) -> dict[str, Any] | None:
        assert self.folder is not None
        python, script = self.folder / "venv-durable" / "bin" / "python", self.folder / "harness" / "b_run.py"
        with subprocess.Popen(
            [python, script, peer, str(load.at_once), str(processes), str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | more, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                output, errors = process.communicate(timeout=seconds + _PATIENCE)
            except subprocess.TimeoutExpired:
                # Its workers, too.
                os.killpg(process.pid, signal.SIGKILL)
                output, errors = "", "no end"
        line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
        if line is None:
            self.failures.append(f"{peer} at {load.at_once}: {errors.strip()[-300:]}")
            return None
        result = json.loads(line.removeprefix("RESULT "))
        return {ours: result[theirs] for theirs, ours in _NAMES.items()} | {"mode": {"peer": peer}}
