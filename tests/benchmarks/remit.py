"""Remit under load: its own Postgres with default durability, its own organisation, real runs in worker processes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

import psycopg

from config.launch.cluster import Cluster
from tests.benchmarks import slow_disk
from tests.benchmarks.loads import Load
from tests.benchmarks.machine import cpu_of
from tests.benchmarks.processes import ROOT, Process

DISK = "/var/tmp"  # not where a temporary file system may lie: there no commit would ever wait for a disk
_WARM = 2  # runs that a worker process does before it is measured
_SYNCS = "SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'"
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'remit'"
_QUEUED = "SELECT count(*) FROM runs_run WHERE state = 'queued' AND steps_written = 0"
_OTHERS = """
SELECT state, failure, count(*) FROM runs_run WHERE ended_at > %(since)s AND state <> 'succeeded' GROUP BY 1, 2
"""
_WRITTEN = """
WITH ended AS MATERIALIZED (SELECT id FROM runs_run WHERE ended_at > %(since)s)
SELECT (SELECT count(*) FROM ended),
    (SELECT count(*) FROM runs_step WHERE run_id IN (SELECT id FROM ended) AND state = 'succeeded'),
    (SELECT count(*) FROM policies_policydecision WHERE run_id IN (SELECT id FROM ended)),
    (SELECT count(*) FROM budgets_ledgerentry WHERE run_id IN (SELECT id FROM ended)),
    (SELECT count(*) FROM audit_auditentry WHERE run_id IN (SELECT id FROM ended)),
    (SELECT count(*) FROM runs_event WHERE run_id IN (SELECT id FROM ended))
"""


@dataclass
class Remit:
    """The installation. `settings` are added to Postgres' own; every fsync takes `fsync_ms` longer.

    Without `broker` no bell is rung: the benchmark itself says which runs are to be worked on.
    """

    settings: dict[str, str] = field(default_factory=dict)
    fsync_ms: float = 0
    tool: str = "bench.noop"
    tool_settings: dict[str, Any] = field(default_factory=dict)
    broker: bool = False

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=DISK, prefix="remit-steps-")))
        with slow_disk.slowed(self.folder, self.fsync_ms):
            settings = self.settings | slow_disk.settings(self.fsync_ms)
            self.cluster = self._stack.enter_context(Cluster(self.folder / "data", settings=settings))
        self.environment = os.environ | self.cluster.environment() | {
            "REMIT_DATA_DIR": str(self.folder / "data"), "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        } | ({} if self.broker else {"BROKER_URL": "memory://"})  # fmt: skip
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--skip-checks", "--database", "owner", "--no-input",
             "--verbosity", "0"], cwd=ROOT, env=self.environment, check=True,
        )  # fmt: skip
        self.ground = Process("tests.benchmarks.ground", self.environment)
        self._stack.callback(self.ground.end)
        self.ground.say(json.dumps({"tool": self.tool, "settings": self.tool_settings}))
        self.organisation = json.loads(self.ground.hear())["organisation"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def postgres(self) -> int:
        """The process above all of Postgres'."""
        assert self.cluster.process is not None
        return self.cluster.process.pid

    def runs(self, count: int) -> list[str]:
        """Queue so many runs."""
        self.ground.say(str(count))
        queued: list[str] = json.loads(self.ground.hear())
        return queued

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Ask as the superuser, from a database of its own, so that it does not count."""
        database = "remit" if values is not None else "postgres"
        with psycopg.connect(self.cluster.superuser_url(database), autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def commit_ms(self) -> float:
        """How long a commit takes that writes next to nothing: the median of thirty."""
        times = []
        with psycopg.connect(self.cluster.superuser_url(), autocommit=True) as connection:
            for _ in range(30):
                begun = time.perf_counter()
                connection.execute("SELECT pg_logical_emit_message(true, 'benchmark', 'x')")
                times.append(time.perf_counter() - begun)
        return round(1e3 * median(times), 2)

    def measure(self, load: Load, seconds: float, rate: float, profile: str = "") -> dict[str, Any]:
        """Load for so many seconds. `rate` is what to expect, in steps a second: so many runs are queued before.

        Where they were not enough, it is measured again with more: else the queue is measured.
        """
        while (found := self._measure(load, seconds, rate, profile))["queue_ran_dry"]:
            rate *= 2
        return found

    def _measure(self, load: Load, seconds: float, rate: float, profile: str) -> dict[str, Any]:
        share = load.at_once // load.processes
        environment = self.environment | {"REMIT_POOL_SIZE": str(min(2 * share, 64))}
        warm = [self.runs(_WARM) for _ in range(load.processes)]
        workers = [Process("tests.benchmarks.load", environment) for _ in warm]
        order = {"at_once": share, "seconds": seconds, "profile": profile} | load.shape.as_json()
        try:
            for worker, runs in zip(workers, warm, strict=True):
                worker.say(json.dumps(order | {"warm": runs}))
            for worker in workers:
                worker.hear()
            # Twice as many as are to be expected, and those that are at work when the time is up.
            self._fill(int(2 * rate * seconds / load.shape.counted) + load.at_once)
            before, cpu = self._counters(), cpu_of(self.postgres)
            begun = self.execute("SELECT clock_timestamp()")[0][0]
            for worker in workers:
                worker.say("go")
            told = [json.loads(worker.hear()) for worker in workers]
            cpu = cpu_of(self.postgres) - cpu
        finally:
            for worker in workers:
                worker.end()
        time.sleep(0.5)
        return self._result(load, told, before, cpu) | {
            "queue_ran_dry": self.execute(_QUEUED, {})[0][0] == 0,
            "written_a_run": self._written(load, begun),
        }

    def _fill(self, count: int) -> None:
        missing = count - self.execute(_QUEUED, {})[0][0]
        if missing > 0:
            self.runs(missing)
        time.sleep(1)

    def _counters(self) -> tuple[int, int]:
        return self.execute(_COMMITS)[0][0], self.execute(_SYNCS)[0][0]

    def _written(self, load: Load, since: datetime) -> dict[str, float]:
        """What a run left behind that ended since. Raises RuntimeError unless all of them are whole."""
        if others := self.execute(_OTHERS, {"since": since}):
            raise RuntimeError(f"Some runs did not succeed: {others}.")
        names = ("runs", "steps", "decisions", "ledger_movements", "audit_entries", "events")
        counts = dict(zip(names, self.execute(_WRITTEN, {"since": since})[0], strict=True))
        if counts["steps"] != counts["runs"] * load.shape.journaled:
            raise RuntimeError(f"Not all runs have all their steps: {counts}.")
        ended = counts.pop("runs")
        return {"ended": ended} | {name: round(count / max(ended, 1), 2) for name, count in counts.items()}

    def _result(self, load: Load, told: list[dict[str, Any]], before: tuple[int, int], cpu: float) -> dict[str, Any]:
        commits, syncs = (after - former for after, former in zip(self._counters(), before, strict=True))
        calls, wall = sum(one["calls"] for one in told), max(one["wall"] for one in told)
        steps = calls * load.shape.counted / load.shape.calls
        gaps = sorted(gap / load.shape.steps_a_gap for one in told for gap in one["gaps"]) or [0.0]
        each = max(steps, 1)
        return {
            "steps_per_second": round(steps / wall, 1),
            "journaled_steps_per_second": round(calls * load.shape.journaled / load.shape.calls / wall, 1),
            "p50_ms": round(1e3 * gaps[len(gaps) // 2], 2),
            "p99_ms": round(1e3 * gaps[min(len(gaps) - 1, int(len(gaps) * 0.99))], 2),
            "commits_a_step": round(commits / each, 3),
            "commits_a_journaled_step": round(commits * load.shape.counted / load.shape.journaled / each, 3),
            "wal_syncs_a_step": round(syncs / each, 3),
            "client_cpu_us_a_step": round(1e6 * sum(one["cpu"] for one in told) / each),
            "postgres_cpu_us_a_step": round(1e6 * cpu / each),
            "steps": round(steps),
            "profile": [line for one in told for line in one["profile"]],
        }
