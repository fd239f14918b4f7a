"""The end of a connection that something else than our client holds: whatever the other side does, it comes in time."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def hanging_up(descriptor: int, seconds: float) -> Iterator[None]:
    """Hang up after so many seconds: the server is a stranger's, and what it is told of a time limit is but a wish.

    Whoever reads from the connection then finds it broken; to close it stays its owner's.
    """
    line = socket.socket(fileno=os.dup(descriptor))
    watch = threading.Timer(seconds, _hang_up, [line])
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        watch.join()
        line.close()


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
