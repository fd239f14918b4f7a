"""How soon every run moves again once the worker that had them all is killed with -9, while another one lives."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from config.launch.parts import ProgramPart
from config.launch.programs import Programs
from tests.benchmarks.processes import ROOT
from tests.benchmarks.remit import DISK, Remit

RUNS = 50
_SECONDS = 1.0  # that a step takes
_PATIENCE = 120.0  # seconds to wait for anything
_ALIVE = "SELECT count(*) FROM runs_heartbeat WHERE kind = 'worker' AND seen_at > now() - interval '20 s'"
_AWAKE = "SELECT count(*) FROM runs_heartbeat WHERE kind = 'worker' AND seen_at > %s"
_ENDED = "SELECT count(*) FROM runs_run WHERE id = ANY(%s::uuid[]) AND state = 'succeeded'"
_DOUBTED = "SELECT count(*) FROM runs_event WHERE run_id = ANY(%s::uuid[]) AND kind = 'step.repeated'"


class Worker:
    """The product's own worker program, with the fake model in it. It is begun as a process group of its own."""

    def __init__(self, part: ProgramPart) -> None:
        self.command = [sys.executable, "-m", "tests.benchmarks.stand_in", *part.command[1:]]
        self.environment = {**part.environment, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
                            "REMIT_RUN_SLOTS": str(RUNS)}  # fmt: skip

    def start(self) -> None:
        """Begin."""
        self.log = Path(self.environment["REMIT_DATA_DIR"], "logs", f"bench-{time.time():.3f}.log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def kill(self) -> None:
        """End it at once, without a word."""
        self.process.kill()
        self.process.wait()


class Marks:
    """What the tool wrote as it was called: when, by which process, for which run, under which key."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def lines(self) -> list[tuple[float, int, str, str]]:
        """All of them, in order."""
        if not self._file.exists():
            return []
        told = [line.split() for line in self._file.read_text().splitlines()]
        return sorted((float(at), int(pid), run, key) for at, pid, run, key in told)

    def runs_of(self, pid: int) -> set[str]:
        """The runs that a process has moved."""
        return {run for _, one, run, _ in self.lines() if one == pid}


def resume() -> dict[str, Any]:
    """Fifty runs in one worker, another one idle; the first is killed."""
    with TemporaryDirectory(dir=DISK) as folder:
        marks = Marks(Path(folder) / "marks")
        settings = {"file": str(Path(folder) / "marks"), "seconds": _SECONDS}
        with Remit(tool="bench.slow", tool_settings=settings, broker=True) as remit, _programs(remit) as start:
            return _killed(remit, marks, start)


def _killed(remit: Remit, marks: Marks, start: Callable[[], Worker]) -> dict[str, Any]:
    first, second = start(), start()
    _until(lambda: remit.execute(_ALIVE, [])[0][0] == 2, "the two workers do not come")
    # Asleep it takes none of the runs; they are to be in the first one, all of them.
    second.process.send_signal(signal.SIGSTOP)
    runs = remit.runs(RUNS)
    _until(lambda: len(marks.runs_of(first.process.pid)) == RUNS, "the first worker does not take all runs")
    second.process.send_signal(signal.SIGCONT)
    awake = remit.execute("SELECT clock_timestamp()", [])[0][0]
    _until(lambda: remit.execute(_AWAKE, [awake])[0][0] == 2, "the second worker does not wake up")
    killed = time.time()
    first.kill()
    left = RUNS - remit.execute(_ENDED, [runs])[0][0]
    _until(lambda: remit.execute(_ENDED, [runs])[0][0] == RUNS, "not all runs end")
    return _told(marks, killed, first.process.pid, second.process.pid) | {
        "runs_left_at_the_kill": left,
        "marked_as_repeated": remit.execute(_DOUBTED, [runs])[0][0],
    }


def _told(marks: Marks, killed: float, first: int, second: int) -> dict[str, Any]:
    begun: dict[str, float] = {}
    by_key: dict[str, list[int]] = {}
    last = killed
    for at, pid, run, key in marks.lines():
        by_key.setdefault(key, []).append(pid)
        last = max(last, at)
        if pid == second:
            begun.setdefault(run, at - killed)
    waits = sorted(begun.values()) or [0.0]
    return {
        "first_moves_after_s": round(waits[0], 3),
        "half_move_after_s": round(waits[len(waits) // 2], 3),
        "all_move_after_s": round(waits[-1], 3),
        "all_done_after_s": round(last + _SECONDS - killed, 3),
        "runs_moved_by_the_other": len(begun),
        "steps_called_twice": sum(1 for pids in by_key.values() if len(pids) > 1),
        "steps_called_more_often": sum(1 for pids in by_key.values() if len(pids) > 2),
    }


@contextmanager
def _programs(remit: Remit) -> Iterator[Callable[[], Worker]]:
    """What starts a worker as `up` does; whatever was started ends with the block."""
    added = {name: remit.environment[name] for name in remit.environment if name.startswith(("DATABASE_", "BROKER_"))}
    added |= {"REMIT_DATA_DIR": remit.environment["REMIT_DATA_DIR"]}
    parts = {part.name: part for part in Programs(ROOT, remit.cluster.directory, added).serving(0)}
    started: list[Worker] = []

    def start(name: str = "worker") -> Worker:
        worker = Worker(parts[name])
        worker.start()
        started.append(worker)
        return worker

    start("scheduler")
    try:
        yield start
    except TimeoutError as error:
        for worker in started:
            error.add_note(worker.log.read_text()[-2_000:])
        raise
    finally:
        for worker in started:
            worker.kill()


def _until(condition: Callable[[], bool], trouble: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {_PATIENCE:g} s {trouble}.")
        time.sleep(0.02)
