"""Where a step's time goes: functions by their own time, in all threads of one process."""

import pstats
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = str(Path(__file__).resolve().parents[2])
_SHOWN = 45
_PATIENCE = 1.0  # seconds in which a thread that has no work ends
_INTERVAL = 0.005  # seconds between two looks at all threads


class Calls:
    """cProfile in every thread that begins while it is on, by the thread's own CPU time: waiting is not in it.

    It slows Python down by half and more, and small functions most: compare its figures, do not add them up.
    """

    def __init__(self) -> None:
        self._profiles: list[Profile] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Profile this thread and those that begin from now on."""
        threading.setprofile(self._begin)

    def stop(self) -> None:
        """No further threads."""
        threading.setprofile(None)  # type: ignore[arg-type] - as documented
        for thread in self._threads:
            # A profile that is read while its thread still runs counts the reader's time.
            thread.join(_PATIENCE)

    def lines(self, steps: int) -> list[str]:
        """CPU microseconds a step by function: own time, and with all that it calls."""
        if not self._profiles:
            return []
        stats: Any = pstats.Stats(*self._profiles)
        rows = [(own, whole, count, function) for function, (_, count, own, whole, _) in stats.stats.items()]
        told = [f"all threads: {1e6 * stats.total_tt / steps:.0f} µs of CPU a step over {steps} steps"]
        for title, key in (("own time", 0), ("with all that it calls", 1)):
            told += ["", f"by {title}: µs own, µs whole, calls; each a step"]
            for own, whole, count, function in sorted(rows, key=lambda row: -row[key])[:_SHOWN]:
                told.append(
                    f"{1e6 * own / steps:8.1f} {1e6 * whole / steps:9.1f} {count / steps:8.2f}  {_shown(function)}"
                )
        return told

    def _begin(self, *_: Any) -> None:
        # The first event of a thread: from here on its own profile takes the events.
        profile = Profile(time.thread_time)
        self._profiles.append(profile)
        self._threads.append(threading.current_thread())
        profile.enable()


class Samples:
    """Looks at every thread's stack a few hundred times a second: cheap, and it shows what threads wait for."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._whole: Counter[str] = Counter()
        self._looks = 0
        self._begun = self._ended = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._begun = time.perf_counter()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
        self._ended = time.perf_counter()

    def lines(self, steps: int) -> list[str]:
        """Thread-microseconds a step by line: where threads stood, and through where."""
        each = 1e6 * (self._ended - self._begun) / max(self._looks, 1) / max(steps, 1)
        told = [f"{self._looks} looks, {steps} steps; thread-µs a step, waiting included"]
        for title, counter in (("where they stood", self._own), ("and through where", self._whole)):
            told += ["", title]
            told += [f"{count * each:9.1f}  {place}" for place, count in counter.most_common(_SHOWN)]
        return told

    def _look(self) -> None:
        me = threading.get_ident()
        while not self._over.wait(_INTERVAL):
            self._looks += 1
            for thread, frame in sys._current_frames().items():
                if thread != me:
                    self._count(frame)

    def _count(self, frame: FrameType | None) -> None:
        self._own[_place(frame)] += 1
        seen = set()
        while frame is not None:
            seen.add(_place(frame, line=False))
            frame = frame.f_back
        self._whole.update(seen)


class Nothing:
    """No profile."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def lines(self, steps: int) -> list[str]:  # noqa: ARG002 - as its siblings
        """Nothing."""
        return []


@contextmanager
def profiled(way: str) -> Iterator[Calls | Samples | Nothing]:
    """Profile the block by `calls` or `samples`, or not at all."""
    profile = {"calls": Calls, "samples": Samples, "": Nothing}[way]()
    profile.start()
    try:
        yield profile
    finally:
        profile.stop()


def _shown(function: tuple[str, int, str]) -> str:
    file, line, name = function
    return f"{_short(file)}:{line} {name}"


def _place(frame: FrameType | None, *, line: bool = True) -> str:
    if frame is None:
        return ""
    code = frame.f_code
    return f"{_short(code.co_filename)}:{frame.f_lineno if line else code.co_firstlineno} {code.co_name}"


def _short(file: str) -> str:
    return file.partition("site-packages/")[2] or file.removeprefix(ROOT).lstrip("/")
