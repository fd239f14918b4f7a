"""Settings of worker processes that tests start: the product's own, and the witness's connector kind.

A process with them tells at SIGUSR2 where each of its threads stands; what Python has for that stops at a hundred.
"""

import signal
import sys
import threading
import traceback

from config.settings import *  # noqa: F403 - all of them
from config.settings import CONNECTOR_KINDS as OURS
from tests.workers import TOLD

CONNECTOR_KINDS = {**OURS, "witness": "tests.houses.WitnessKind"}


def _tell(*_: object) -> None:
    names = {one.ident: one.name for one in threading.enumerate()}
    for thread, frame in sys._current_frames().items():
        where = "".join(traceback.format_stack(frame))
        sys.stderr.write(f"Thread {names.get(thread)}\n{where}\n")
    sys.stderr.write(f"{TOLD}\n")
    sys.stderr.flush()


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGUSR2, _tell)
