"""One worker process of the benchmark: works off what is queued for so long, and says in JSON what that took."""

import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import django
from django.conf import settings
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.settings")
django.setup()

from agents.runs.engine import advance  # noqa: E402 - after Django's set-up
from agents.runs.runner import Runner  # noqa: E402
from tests.benchmarks.noop import answer_in_process, clock, shape  # noqa: E402
from tests.benchmarks.profiles import profiled  # noqa: E402

_SHOWN = 20_000  # latencies that are told at most
_PATIENCE = 60.0  # seconds in which all runs come to a halt


def work(at_once: int, seconds: float) -> None:
    """Work on so many runs at once for so long, as a worker does. Raises RuntimeError when they do not halt then."""

    def wake(runs: Iterable[UUID]) -> None:
        runner.ring(runs)

    runner = Runner(wake, at_once)
    runner.start()
    time.sleep(seconds)
    if not runner.stop(_PATIENCE):
        message = f"Runs did not halt within {_PATIENCE:g} s."
        raise RuntimeError(message)


def measured(order: dict[str, Any]) -> dict[str, Any]:
    """What the load took: wall and CPU seconds, calls of the tool, latencies."""
    clock.__init__()  # type: ignore[misc] - begins anew, for all who hold it
    begun, used = time.perf_counter(), time.process_time()
    with profiled(order.get("profile", "")) as profile:
        work(order["at_once"], order["seconds"])
    gaps = sorted(clock.gaps)
    return {
        "calls": clock.calls,
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "gaps": gaps[:: max(1, len(gaps) // _SHOWN)],
        "profile": profile.lines(clock.calls),
    }


def warm_up(runs: list[str]) -> None:
    """What is compiled, cached and connected once is not part of what a step costs."""
    for run in runs:
        advance(UUID(run))
    with connections["engine"].cursor() as cursor:
        # Else the counters of these commits would be added while it is measured.
        cursor.execute("SELECT pg_stat_force_next_flush()")
    connections.close_all()


def main() -> None:
    """Read the order, warm up, wait for the go, work, tell."""
    order = json.loads(sys.stdin.readline())
    answer_in_process()
    shape.calls, shape.at_a_time = order["calls"], order["at_a_time"]
    warm_up(order["warm"])
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(measured(order)), flush=True)
    for name in settings.DATABASES:
        connections[name].close()


if __name__ == "__main__":
    main()
