"""How many governed, journaled steps a second, and what each costs; beside peers if they are there. Prints JSON.

The load: an agent whose model (a fake in the same process) asks at once for ten calls of a priced tool that does
nothing, then says that it is done. Each call passes the gate (real policies, one decision), holds and books money, and
leaves journal, events and record. A run journals twelve steps; only the ten calls are counted, as with the peers, whose
workflows have ten steps that do nothing. Postgres has its default durability.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

from tests.benchmarks import slow_disk  # noqa: E402 - after the source roots
from tests.benchmarks.loads import LOADS, USUAL  # noqa: E402
from tests.benchmarks.machine import Watch  # noqa: E402
from tests.benchmarks.peers import Peers  # noqa: E402
from tests.benchmarks.remit import Remit  # noqa: E402
from tests.benchmarks.resume import resume  # noqa: E402
from tests.benchmarks.statements import PRELOADED, reset, statements  # noqa: E402

_GUESS = 400.0  # steps a second, before anything was measured


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=USUAL, help="runs at once[/processes]")
    parser.add_argument("--peers", type=Path, help="folder of the peers' harness; without it Remit is alone")
    parser.add_argument(
        "--profile", choices=("calls", "samples"), nargs="?", const="calls",
        help="say where the time of one load goes, as text: by cProfile, or by samples of all threads",
    )  # fmt: skip
    parser.add_argument(
        "--slow-disk", type=float, metavar="MS", help="what is kept when every fsync takes so much longer"
    )
    parser.add_argument("--resume", action="store_true", help="how soon 50 runs of a killed worker move again")
    return parser.parse_args()


def profile(given: argparse.Namespace) -> None:
    """One load, one process, as text: functions, then statements."""
    load = LOADS[given.loads[0]]
    with Remit(settings=PRELOADED) as remit:
        rate = remit.measure(load, 2, _GUESS)["steps_per_second"]
        reset(remit)
        found = remit.measure(load, given.seconds, rate, given.profile)
        print("\n".join(found.pop("profile")))
        print("\n".join(["", *statements(remit, found["steps"])]))
        print(json.dumps(found))


def compare(given: argparse.Namespace) -> dict[str, Any]:
    """All loads in turn, Remit and peers one after the other, as often as there are rounds."""
    peers = Peers(given.peers)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {load: {} for load in given.loads}
    with Remit() as remit, Watch(lambda: (os.getpid(), *peers.daemons())) as watch:
        rates = dict.fromkeys(given.loads, _GUESS)
        for _ in range(given.rounds):
            for load in given.loads:
                one = remit.measure(LOADS[load], given.seconds, rates[load])
                rates[load] = one["steps_per_second"]
                found[load].setdefault("remit", []).append(one)
                for name, result in peers.measure(LOADS[load], given.seconds):
                    found[load].setdefault(name, []).append(result)
                rates_now = {name: rounds[-1]["steps_per_second"] for name, rounds in found[load].items()}
                print(f"{load}: {rates_now} steps/s", file=sys.stderr, flush=True)
    return {"loads": {load: summary(by_name) for load, by_name in found.items()},
            "peers": peers.told(), "machine": watch.told()}  # fmt: skip


def slow_disk_of(given: argparse.Namespace) -> dict[str, Any]:
    """The same loads on this disk and on one that is slower, in turn; the share of the steps that is kept."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {load: {"quiet": [], "slow": []} for load in given.loads}
    with Remit() as quiet, Remit(fsync_ms=given.slow_disk) as slow, Watch(lambda: (os.getpid(),)) as watch:
        commits = {"quiet": quiet.commit_ms(), "slow": slow.commit_ms()}
        rates = dict.fromkeys(given.loads, _GUESS)
        for _ in range(given.rounds):
            for load in given.loads:
                for name, remit in (("quiet", quiet), ("slow", slow)):
                    found[load][name].append(remit.measure(LOADS[load], given.seconds, rates[load]))
                rates[load] = found[load]["quiet"][-1]["steps_per_second"]
    told = {load: {name: _medians(rounds) for name, rounds in by_name.items()} for load, by_name in found.items()}
    for one in told.values():
        one["kept"] = round(one["slow"]["steps_per_second"] / max(one["quiet"]["steps_per_second"], 0.1), 3)
    return {"loads": told, "added_to_fsync_ms": given.slow_disk, "way": slow_disk.way(given.slow_disk),
            "a_commit_ms": commits, "machine": watch.told()}  # fmt: skip


def resumed(given: argparse.Namespace) -> dict[str, Any]:
    """Each round by itself."""
    with Watch(lambda: (os.getpid(),)) as watch:
        rounds = [resume() for _ in range(given.rounds)]
    return {"resume": rounds, "median_all_move_after_s": median(one["all_move_after_s"] for one in rounds),
            "machine": watch.told()}  # fmt: skip


def summary(by_name: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians over the rounds, and ratios of medians."""
    medians = {name: _medians(rounds) for name, rounds in by_name.items()}
    ours = medians["remit"]
    ratios = {
        name: {
            "steps_per_second": round(ours["steps_per_second"] / max(theirs["steps_per_second"], 0.1), 2),
            "p99": round(ours["p99_ms"] / max(theirs["p99_ms"], 0.001), 3),
        }
        for name, theirs in medians.items()
        if name != "remit"
    }
    return medians | {"remit_to": ratios}


def _medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    numbers = {name: round(median(one[name] for one in rounds), 3) for name, value in rounds[0].items()
               if isinstance(value, int | float) and not isinstance(value, bool)}  # fmt: skip
    flags = {name: any(one[name] for one in rounds) for name, value in rounds[0].items() if isinstance(value, bool)}
    others = {name: value for name, value in rounds[-1].items() if value and isinstance(value, dict)}
    return numbers | flags | others | {"rounds": [one["steps_per_second"] for one in rounds]}


def main() -> int:
    """Measure and print."""
    given = arguments()
    if given.profile:
        profile(given)
        return 0
    print(json.dumps(_measured(given), indent=1))
    return 0


def _measured(given: argparse.Namespace) -> dict[str, Any]:
    if given.resume:
        return resumed(given)
    return slow_disk_of(given) if given.slow_disk else compare(given)


if __name__ == "__main__":
    raise SystemExit(main())
