"""Names to addresses, within a time: the system's own look-up has none, and whose name servers are silent holds it."""

import os
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

LONGEST = 30.0  # seconds, for whoever sets no limit
MOST = 64  # look-ups under way in a process; each holds a thread until the system gives up


class _LookUp:
    """One name, looked up once for all who ask meanwhile."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[str] = []
        self.failure: Exception | None = None

    def run(self, host: str, port: int) -> None:
        try:
            self.addresses = _addresses(host, port, 0)
        except (OSError, UnicodeError) as error:
            self.failure = error


class Resolver:
    """The look-ups of a process. A thread that the system holds is nobody's to end: there are so many and no more."""

    def __init__(self, most: int = MOST) -> None:
        self._slots = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, int], _LookUp] = {}

    def addresses(self, host: str, port: int, seconds: float) -> Sequence[str]:
        """The addresses of a host, each once. Raises OSError, TimeoutError among them, or UnicodeError."""
        with suppress(socket.gaierror):  # it is a name, then
            return _addresses(host, port, socket.AI_NUMERICHOST)
        deadline = time.monotonic() + seconds
        found = self._begun(host, port, seconds)
        if found is None or not found.done.wait(max(deadline - time.monotonic(), 0)):
            raise TimeoutError(f"no answer within {seconds:.3g} s")
        if found.failure is not None:
            raise found.failure
        return found.addresses

    def _begun(self, host: str, port: int, seconds: float) -> _LookUp | None:
        """The look-up of this name that is under way, or a new one; None if no thread was free in time."""
        key = host, port
        with self._lock:
            if key in self._under_way:
                return self._under_way[key]
        if not self._slots.acquire(timeout=max(seconds, 0)):
            return None
        with self._lock:
            if key in self._under_way:
                self._slots.release()
                return self._under_way[key]
            begun = self._under_way[key] = _LookUp()
        # A daemon: the end of the process does not wait for a silent server.
        threading.Thread(target=self._run, args=(key, begun), name="resolving", daemon=True).start()
        return begun

    def _run(self, key: tuple[str, int], look_up: _LookUp) -> None:
        try:
            look_up.run(*key)
        finally:
            with self._lock:
                del self._under_way[key]
            self._slots.release()
            look_up.done.set()


class _OfProcess:
    """The resolver of this process: a child has none of its parent's threads, and so none of its look-ups."""

    def __init__(self) -> None:
        self._resolver = Resolver()
        os.register_at_fork(after_in_child=self._renew)

    def resolve(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        """As `Resolver.addresses`, within `LONGEST` if there is no limit."""
        return self._resolver.addresses(host, port, LONGEST if seconds is None else min(seconds, LONGEST))

    def _renew(self) -> None:
        self._resolver = Resolver()


resolve = _OfProcess().resolve


def _addresses(host: str, port: int, flags: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
