"""Keeps the parts running: starts them in order, starts again what ended, stops everything in the opposite order."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from config.launch.failure import LaunchError
from config.launch.parts import Part

BEAT = 0.1  # seconds between two looks at the parts
CRASHES_AT_START = 5
LONGEST_PAUSE = 30.0  # seconds; the first restart is at once, the later pauses double
STEADY_AFTER = 60.0  # seconds after which an end counts as the first one again


class StopRequested(BaseException):
    """SIGINT, SIGTERM or SIGHUP came; raised where the supervisor happens to be."""


@contextmanager
def stopping_on_signals() -> Iterator[Callable[[], None]]:
    """The first signal raises StopRequested, the later ones do nothing: stopping has its own time limits.

    Yields what makes the first one do nothing too.
    """
    asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise StopRequested

    def ask_no_more() -> None:
        nonlocal asked
        asked = True

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means it
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield ask_no_more
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Watched:
    """A part, how often in a row it has ended, and when it may be started again (monotonic seconds; None: it runs)."""

    part: Part
    failures: int = 0
    started: float = 0.0
    again_at: float | None = None

    def ended(self) -> None:
        now = time.monotonic()
        self.failures = 1 if now - self.started > STEADY_AFTER else self.failures + 1
        self.again_at = now + (0.0 if self.failures == 1 else min(LONGEST_PAUSE, 0.25 * 2**self.failures))

    def start(self) -> None:
        self.started = time.monotonic()
        self.part.start()
        self.again_at = None


class Supervisor:
    """Parts are started in the order in which they are added and stopped in the opposite one."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._watched: list[Watched] = []
        self._say = say

    def add(self, part: Part) -> None:
        """Start the part and keep it running from now on. Raises LaunchError, OSError when it cannot start at all."""
        self._watched.append(Watched(part))
        self._watched[-1].start()

    def stop(self) -> None:
        for watched in reversed(self._watched):
            watched.part.stop()

    def wait_until(self, reached: Callable[[], bool], *, seconds: float, otherwise: Callable[[], str]) -> None:
        """Keep the parts running until `reached`. Raises LaunchError if that takes too long or a part keeps ending."""
        deadline = time.monotonic() + seconds
        while not reached():
            self.look()
            for watched in self._watched:
                if watched.failures >= CRASHES_AT_START:
                    raise LaunchError(f"{watched.part.name} keeps ending at the start: {watched.part.last_words()}")
            if time.monotonic() > deadline:
                raise LaunchError(otherwise())
            time.sleep(BEAT)

    def watch(self) -> None:
        """Keep the parts running until a signal comes."""
        while True:
            self.look()
            time.sleep(BEAT)

    def look(self) -> None:
        """Start again what has ended and has paused long enough; while Postgres is away nothing else is started."""
        for watched in self._watched:
            code = watched.part.exit_code()
            if watched.again_at is None and code is not None:
                watched.ended()
                self._say(f"{watched.part.name} ended ({_meaning(code)}) and is started again.")
            if watched.again_at is not None and time.monotonic() >= watched.again_at:
                self._start_again(watched)
            if watched.again_at is not None and watched.part.needed_by_all:
                return

    def _start_again(self, watched: Watched) -> None:
        try:
            watched.start()
        except (LaunchError, OSError) as error:
            watched.ended()
            self._say(f"{watched.part.name} could not be started: {error}")


def _meaning(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
