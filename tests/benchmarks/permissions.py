"""How long the first page of agents and runs takes, by who looks and by how many there are; and one cold check.

Beside each page stands what somebody would write by hand who knows which teams the viewer sees: the same rows by the
same indexes, in turn with ours, under the same row-level security. The check stands beside guardian's `has_perm` on the
same rows. Prints JSON; the exit code says whether all ratios hold.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

from config.launch.cluster import Cluster  # noqa: E402 - after the source roots
from tests.benchmarks.machine import Watch  # noqa: E402

PAGE = 51
TEAMS = 100
ROUNDS = 60
LIMITS = {"to_hand": 2.0, "to_small": 2.0, "check": 8.0, "statements": 2}


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    return parser.parse_args()


def measured(few: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of each, the median of rounds in turn."""
    times: dict[str, list[float]] = {name: [] for name in few}
    for number in range(rounds + 5):
        for name, one in few.items():
            begun = time.perf_counter()
            one()
            if number >= 5:
                times[name].append((time.perf_counter() - begun) * 1_000)
    return {name: round(median(found), 3) for name, found in times.items()}


def main() -> int:
    """Fill, measure, print."""
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="remit-permissions-") as folder:
        settings = {"fsync": "off", "shared_buffers": "512MB", "max_wal_size": "8GB", "autovacuum": "off"}
        with Cluster(Path(folder) / "data", settings=settings) as cluster, Watch(lambda: (os.getpid(),)) as watch:
            os.environ |= cluster.environment() | {
                "REMIT_DATA_DIR": str(Path(folder) / "data"), "DJANGO_SETTINGS_MODULE": "config.settings",
                "REMIT_OUTBOUND_ALLOW": "", "BROKER_URL": "memory://",
            }  # fmt: skip
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--skip-checks", "--database", "owner", "--no-input",
                 "--verbosity", "0"], cwd=ROOT, check=True,
            )  # fmt: skip
            import django  # noqa: PLC0415 - its settings read the environment

            django.setup()
            from tests.benchmarks.permission_world import World  # noqa: PLC0415 - after Django is set up

            world = World(cluster.superuser_url("remit"))
            found: dict[str, Any] = {}
            for size in (given.small, given.rows):
                world.fill(size)
                found[f"{size}"] = {name: measured(few) for name, few in world.pages(PAGE).items()}
                print(f"{size}: {found[f'{size}']}", file=sys.stderr, flush=True)
            found["statements"] = world.statements(PAGE)
            found["check"] = measured(world.checks(), 300)
        found["machine"] = watch.told()
    return report(found, f"{given.small}", f"{given.rows}")


def report(found: dict[str, Any], small: str, large: str) -> int:
    """The ratios, and whether they hold."""
    ratios = {
        "to_hand": {name: round(one["ours"] / one["hand"], 2) for name, one in found[large].items()},
        "to_small": {name: round(one["ours"] / found[small][name]["ours"], 2) for name, one in found[large].items()},
        "check": round(found["check"]["guardian"] / found["check"]["ours"], 2),
    }
    holds = (
        max(ratios["to_hand"].values()) <= LIMITS["to_hand"]
        and max(ratios["to_small"].values()) <= LIMITS["to_small"]
        and ratios["check"] >= LIMITS["check"]
        and max(found["statements"].values()) <= LIMITS["statements"]
    )
    print(json.dumps({**found, "ratios": ratios, "limits": LIMITS, "holds": holds}, indent=1))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
