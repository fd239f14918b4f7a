"""One worker process of the benchmark: works off the runs that it is given, and says in JSON how long that took."""

import json
import os
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import django
from django.conf import settings
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.settings")
django.setup()

from agents.runs.engine import advance  # noqa: E402 - after Django's set-up
from tests.benchmarks.noop import answer_in_process, clock, shape  # noqa: E402
from tests.benchmarks.profiles import profiled  # noqa: E402

_SHOWN = 20_000  # latencies that are told at most


def work_off(runs: list[UUID], at_once: int, seconds: float) -> list[UUID]:
    """Advance so many runs at once until the time is up, each to its end; those that were done."""
    waiting, done, end = deque(runs), list[UUID](), time.perf_counter() + seconds

    def work() -> None:
        try:
            while time.perf_counter() < end:
                try:
                    run = waiting.popleft()
                except IndexError:
                    return
                advance(run)
                done.append(run)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(at_once) as pool:
        for worker in [pool.submit(work) for _ in range(at_once)]:
            worker.result()
    return done


def measured(runs: list[UUID], order: dict[str, Any]) -> dict[str, Any]:
    """Work off the runs, and what that took: wall and CPU seconds, calls of the tool, latencies."""
    clock.__init__()  # type: ignore[misc] - begins anew, for all who hold it
    begun, used = time.perf_counter(), time.process_time()
    with profiled(order.get("profile", "")) as profile:
        done = work_off(runs, order["at_once"], order["seconds"])
    gaps = sorted(clock.gaps)
    return {
        "done": [str(run) for run in done],
        "steps": clock.calls,
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "gaps": gaps[:: max(1, len(gaps) // _SHOWN)],
        "profile": profile.lines(clock.calls),
    }


def warm_up(runs: list[UUID]) -> None:
    """What is compiled, cached and connected once is not part of what a step costs."""
    work_off(runs, 1, 600)
    with connections["engine"].cursor() as cursor:
        # Else the counters of these commits would be added while it is measured.
        cursor.execute("SELECT pg_stat_force_next_flush()")
    connections.close_all()


def main() -> None:
    """Read the order, warm up, wait for the go, work, tell."""
    order = json.loads(sys.stdin.readline())
    answer_in_process()
    shape.calls, shape.at_a_time = order["calls"], order["at_a_time"]
    runs = [UUID(run) for run in order["runs"]]
    warm_up(runs[:2])
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(measured(runs[2:], order)), flush=True)
    for name in settings.DATABASES:
        connections[name].close()


if __name__ == "__main__":
    main()
