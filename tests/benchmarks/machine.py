"""What the machine does meanwhile: CPU of process trees, and how much of it others take."""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_INTERVAL = 1.0  # seconds between two samples
_FOREIGN = 0.5  # cores; others who take more disturb
_DISTURBED = 0.1  # of the samples; beyond that a comparison is void


def _stat(pid: str) -> tuple[int, float] | None:
    """A process's parent, and the CPU seconds of it and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) / _TICKS


def cpu_of(*roots: int) -> float:
    """CPU seconds of these processes and all below them, those that have ended included."""
    seconds: dict[int, float] = {}
    below: dict[int, list[int]] = defaultdict(list)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if (found := _stat(pid)) is not None:
            below[found[0]].append(int(pid))
            seconds[int(pid)] = found[1]
    total, left, seen = 0.0, list(roots), set[int]()
    while left:
        pid = left.pop()
        if pid not in seen:
            seen.add(pid)
            total += seconds.get(pid, 0.0)
            left += below[pid]
    return total


def _busy() -> float:
    """CPU seconds that this machine has worked since it began: all but idle and waiting for the disk."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS


class Watch:
    """Samples, while the block runs, how many cores others use. `ours` gives the roots of what is not foreign."""

    def __init__(self, ours: Callable[[], Iterable[int]]) -> None:
        self._ours = ours
        self._foreign: list[float] = []
        self._loads: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def told(self) -> dict[str, object]:
        """Load average, cores that others used, and whether they disturbed so much that a comparison is void."""
        samples = sorted(self._foreign) or [0.0]
        disturbed = sum(1 for sample in samples if sample > _FOREIGN) / len(samples)
        return {
            "cores": os.cpu_count(),
            "load_average": {"least": min(self._loads, default=0.0), "most": max(self._loads, default=0.0)},
            "foreign_cores": {"median": round(samples[len(samples) // 2], 2), "most": round(samples[-1], 2)},
            "samples_disturbed": round(disturbed, 3),
            "void": disturbed > _DISTURBED,
        }

    def _look(self) -> None:
        busy, ours = _busy(), cpu_of(*self._ours())
        while not self._over.wait(_INTERVAL):
            busy_now, ours_now = _busy(), cpu_of(*self._ours())
            self._foreign.append(max(0.0, (busy_now - busy) - max(0.0, ours_now - ours)) / _INTERVAL)
            self._loads.append(round(os.getloadavg()[0], 2))
            busy, ours = busy_now, ours_now
