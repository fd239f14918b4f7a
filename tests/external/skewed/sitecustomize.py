"""Read by the interpreter of a worker whose clock is wrong: libfaketime 0.9.10 breaks `time.sleep` (clock_nanosleep up
to a moment of the monotonic clock, if only the wall clock is to be wrong).
"""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
