"""The end of a connection that something else than our client holds: whatever the other side does, it comes in time."""

import fcntl
import os
import socket
import struct
import termios
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

_LOOK = 0.005  # seconds between two looks at what has come
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)  # Linux alone tells how much a connection has received
_RECEIVED = struct.Struct("128xQ")  # tcpi_bytes_received of struct tcp_info


class HangingUp:
    """Hang up after so many seconds, or bytes: the server is a stranger's, and a limit that it is told but a wish.

    Whoever reads from the connection then finds it broken; to close it stays its owner's. Between two looks somewhat
    more than `most` may come, and where the system does not tell, all of it: whoever has read it looks once more.
    """

    def __init__(self, descriptor: int, seconds: float, most: int) -> None:
        self._line = socket.socket(fileno=os.dup(descriptor))
        self._end, self._most = time.monotonic() + seconds, most
        self._before = self._read()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, name="hanging-up", daemon=True)
        self.too_much = False

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._over.set()
        self._watch.join()
        self._line.close()

    def count_anew(self) -> None:
        """What was read until now does not count any more."""
        self._before = self._read()

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            self.too_much = self._read() - self._before > self._most
            if self.too_much or time.monotonic() > self._end:
                with suppress(OSError):
                    self._line.shutdown(socket.SHUT_RDWR)
                return

    def _read(self) -> int:
        """The bytes that have come and were taken: what waits in the system's own buffers holds no memory of ours."""
        if _TCP_INFO is None:
            return 0
        told = self._line.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _RECEIVED.size)
        received: int = _RECEIVED.unpack(told)[0] if len(told) == _RECEIVED.size else 0
        waiting: int = struct.unpack("i", fcntl.ioctl(self._line, termios.FIONREAD, bytes(4)))[0]
        return received - waiting
