"""The peers, by their own harness outside the repository: the same machine, in turn with Remit."""

import json
import os
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
_PATIENCE = 180  # seconds that a peer may take beyond its time


class Peers:
    """DBOS and Celery with Redis, if their harness is in `folder`."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def measure(self, load: Load, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """One measurement of each peer that bears this load."""
        if self.folder is None:
            return
        if load.shape is LOOP:
            yield "openai_agents_on_dbos", self._run("oai_agents_dbos", load, load.processes, seconds)
            return
        yield "dbos", self._run(_DBOS[load.at_once], load, load.processes, seconds)
        yield "celery_redis", self._run("celery_redis", load, 1, seconds, CELERY_PROCS=str(load.processes))

    def daemons(self) -> list[int]:
        """The servers that the peers use: what they take is not foreign."""
        if self.folder is None:
            return []
        files = (self.folder / "pgdata" / "postmaster.pid", self.folder / "out" / "redis.pid")
        return [int(file.read_text().split()[0]) for file in files if file.exists()]

    def told(self) -> str:
        """Whether there was anything to compare with."""
        return "measured in turn with Remit" if self.folder else "none: --peers names no harness, so Remit is alone"

    def _run(self, peer: str, load: Load, processes: int, seconds: float, **more: str) -> dict[str, Any]:
        assert self.folder is not None
        python, script = self.folder / "venv-durable" / "bin" / "python", self.folder / "harness" / "b_run.py"
        answer = subprocess.run(
            [python, script, peer, str(load.at_once), str(processes), str(seconds)],
            capture_output=True, text=True, timeout=seconds + _PATIENCE, env=os.environ | more, check=True,
        )  # fmt: skip
        line = next(line for line in answer.stdout.splitlines() if line.startswith("RESULT "))
        result = json.loads(line.removeprefix("RESULT "))
        return {ours: result[theirs] for theirs, ours in _NAMES.items()} | {"mode": {"peer": peer}}
