"""A network between a worker and Postgres that a test can cut and stall."""

import selectors
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a reset, not a farewell
_CHUNK = 65536


class Proxy:
    """Passes bytes on from `port` on loopback to another port there, in a thread of its own, until told otherwise.

    `listener` may stand elsewhere: in another network namespace, say.
    """

    def __init__(self, target: int, listener: socket.socket | None = None) -> None:
        self.refuses = 0  # so many connections to come
        self._target = target
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._stalls_until = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._flows.set()
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._pairs) // 2

    @property
    def flows(self) -> bool:
        """Whether it passes bytes on."""
        return self._flows.is_set()

    def cut(self) -> int:
        """Reset all connections, on both sides; how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, {}
        for one in pairs:
            self._selector.unregister(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            one.close()
        return len(pairs) // 2

    def stall(self, seconds: float = float("inf")) -> None:
        """Pass nothing on, for so long, and let nobody know; also to those that connect meanwhile."""
        self._stalls_until = time.monotonic() + seconds
        self._flows.clear()

    def flow(self) -> None:
        """Go on, with all that came meanwhile."""
        self._flows.set()

    def _serve(self) -> None:
        while not self._over.is_set():
            while not self._flows.wait(min(1.0, max(0.0, self._stalls_until - time.monotonic()))):
                if time.monotonic() >= self._stalls_until:
                    self._flows.set()
            for key, _ in self._selector.select(0.05):
                if not self._flows.is_set():
                    break
                if key.fileobj is self._listener:
                    self._connect()
                else:
                    self._pass_on(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered

    def _connect(self) -> None:
        near, _ = self._listener.accept()
        if self.refuses:
            self.refuses -= 1
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._pairs |= {near: far, far: near}
            for one in (near, far):
                self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        with self._lock:
            target = self._pairs.get(source)
            if target is None:
                return
            try:
                data = source.recv(_CHUNK)
                if data:
                    target.sendall(data)
                    return
            except OSError:
                pass
            for one in (source, target):
                self._pairs.pop(one)
                self._selector.unregister(one)
                one.close()
