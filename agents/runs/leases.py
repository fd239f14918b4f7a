"""Keeping leases alive: one thread a process renews those it holds, and says that the worker lives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import structlog
from django.conf import settings

from agents.runs.claims import Lease, renew
from agents.runs.database import engine_address
from agents.runs.presence import own_name

log = structlog.get_logger(__name__)

_PATIENCE = 60.0  # seconds that a call may take beyond the time limit of model calls
_AGAIN = 0.1  # seconds until a connection is made anew


class LeaseKeeper:
    """The leases of this process. Its thread starts with `start` or with the first lease.

    `is_draining`: the process is about to end, and every run is let go of at its next move. `report` gives slots, how
    many of them are busy, and whether no more runs are taken.
    """

    def __init__(self) -> None:
        self.worker = own_name()
        self.is_draining = False
        self.report: Callable[[], tuple[int, int, bool]] = lambda: (0, 0, False)
        self._moved: dict[Lease, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to renew, once."""
        with self._lock:
            if self._thread is None:
                self._over.clear()
                self._thread = threading.Thread(target=self._renew_until_stopped, name="leases", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Renew no more; the leases that are held run out."""
        self._over.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Renew a lease while the block runs and moves."""
        self.start()
        self.moved(lease)
        try:
            yield
        finally:
            with self._lock:
                self._moved.pop(lease, None)

    def moved(self, lease: Lease) -> None:
        """The run has come one commit further. A call that hangs for too long loses its lease."""
        with self._lock:
            self._moved[lease] = time.monotonic()

    def _renewable(self) -> list[Lease]:
        oldest = time.monotonic() - settings.RUN_MODEL_TIMEOUT_SECONDS - _PATIENCE
        with self._lock:
            return [lease for lease, moved in self._moved.items() if moved > oldest]

    def _renew_until_stopped(self) -> None:
        while not self._over.is_set():
            try:
                # Its own, and one statement each time: a process whose threads are all at work has little time for it.
                with psycopg.connect(engine_address("leases"), autocommit=True) as connection:
                    while not self._over.is_set():
                        self._renew(connection)
                        self._over.wait(settings.RUN_HEARTBEAT_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever happens, this thread must go on
                # Without the database nothing can be renewed; the leases run out, and others take the runs over.
                log.warning("leases not renewed", error=type(error).__name__)
                self._over.wait(_AGAIN)

    def _renew(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        renew(connection, self.worker, self._renewable(), settings.RUN_LEASE_SECONDS, *self.report())


keeper = LeaseKeeper()
