"""A barrier in the way of the witness's calls: who holds it knows what is in flight, and for how long.

Each call comes to it twice, before it has written its line and after. While the barrier is closed, calls halt there;
before their line all but one of each effect and process, so that some of either kind are in flight.
"""

import json
import os
import selectors
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_GO = b"."


@dataclass(eq=False)
class Call:
    """One that is in flight: begun by this process, `at` the barrier before (0) or after (1) its line."""

    pid: int
    effect: str
    key: str
    at: int = 0
    halts: bool = False


class Barrier:
    """For the calls whose lines stand in this file, of whatever process. Open at first."""

    def __init__(self, witness: Path) -> None:
        self.written: set[str] = set()
        self.lost: list[Call] = []  # halted when their process died
        self._calls: dict[socket.socket, Call] = {}
        self._pinned: set[Call] = set()
        self._closes_at: int | None = None
        self._changed = threading.Condition()
        self._sign = _sign(witness)
        self._folder = Path(tempfile.mkdtemp(prefix="barrier-"))  # sockets' paths must be short
        self._listener = socket.socket(socket.AF_UNIX)
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._serve, name="barrier", daemon=True)
        self._over = False

    def __enter__(self) -> Self:
        self._listener.bind(str(self._folder / "socket"))
        self._listener.listen(512)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._sign.write_text(str(self._folder / "socket"))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join()
        for one in (self._listener, *self._calls):
            one.close()
        self._selector.close()
        self._sign.unlink()
        shutil.rmtree(self._folder)

    @property
    def is_closed(self) -> bool:
        """Whether calls halt."""
        return self._closes_at is not None and len(self.written) >= self._closes_at

    def open(self) -> None:
        """Let everything pass."""
        self.pin((), None)

    def close(self) -> None:
        """Let nothing pass that has not passed yet."""
        self.close_at(0)

    def close_at(self, written: int) -> None:
        """Let nothing pass once so many effects have happened, each counted once."""
        with self._changed:
            self._closes_at = written
            self._changed.notify_all()

    def pin(self, calls: Iterable[Call], more: int | None) -> None:
        """Keep these calls in flight and let the others pass, until so many more have happened."""
        with self._changed:
            self._pinned = set(calls)
            self._closes_at = None if more is None else len(self.written) + more
            for connection, call in self._calls.items():
                if call.halts and call not in self._pinned:
                    self._let_go(connection, call)
            self._changed.notify_all()

    def let_pass(self, keys: Collection[str]) -> None:
        """Let the calls with these keys go on, but for those that are pinned."""
        with self._changed:
            for connection, call in self._calls.items():
                if call.halts and call.key in keys and call not in self._pinned:
                    self._let_go(connection, call)
            self._changed.notify_all()

    def halted(self, pid: int | None = None) -> list[Call]:
        """The calls, of this process, that wait here."""
        with self._changed:
            return [call for call in self._calls.values() if call.halts and pid in (None, call.pid)]

    def in_flight(self) -> set[str]:
        """The keys of all calls that have begun and have not ended."""
        with self._changed:
            return {call.key for call in self._calls.values()}

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds that only calls change, at most so long; whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def _serve(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._selector.register(self._listener.accept()[0], selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)

    def _hear(self, connection: socket.socket) -> None:
        try:
            told = connection.recv(4096)
        except OSError:
            told = b""
        with self._changed:
            if told:
                self._arrive(connection, told)
            else:
                self._selector.unregister(connection)
                connection.close()
                call = self._calls.pop(connection, None)
                if call is not None and call.halts:
                    self.lost.append(call)
            self._changed.notify_all()

    def _arrive(self, connection: socket.socket, told: bytes) -> None:
        call = self._calls.get(connection)
        if call is None:
            pid, effect, key = json.loads(told)
            others = [one for one in self._calls.values() if (one.pid, one.effect) == (pid, effect)]
            call = self._calls[connection] = Call(pid, effect, key)
            is_first = all(one.halts and not one.at for one in others)
        else:
            call.at, is_first = 1, False
            self.written.add(call.key)
        if self.is_closed and not is_first:
            call.halts = True
        else:
            self._let_go(connection, call)

    def _let_go(self, connection: socket.socket, call: Call) -> None:
        call.halts = False
        with suppress(OSError):
            connection.send(_GO)


@contextmanager
def passing(witness: Path, effect: str, key: str) -> Iterator[Callable[[], None]]:
    """A call that passes the barrier, if there is one: now, and when it says so, after its line."""
    sign = _sign(witness)
    if not sign.exists():
        yield lambda: None
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sign.read_text())
        connection.sendall(json.dumps([os.getpid(), effect, key]).encode())
        connection.recv(1)

        def written() -> None:
            connection.sendall(b"written")
            connection.recv(1)

        yield written


def _sign(witness: Path) -> Path:
    return witness.with_suffix(".barrier")
