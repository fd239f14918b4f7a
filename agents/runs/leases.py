"""Keeping leases alive: one thread a process renews those it holds, and says that the worker lives."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error

from agents.runs.journal import Lease, renew

log = structlog.get_logger(__name__)


class LeaseKeeper:
    """The leases of this process. Its thread starts with `start` or with the first lease."""

    def __init__(self) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        self._fences: dict[UUID, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to renew, once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_forever, name="leases", daemon=True)
                self._thread.start()

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Renew a lease while the block runs."""
        self.start()
        with self._lock:
            self._fences[lease.run] = lease.fence
        try:
            yield
        finally:
            with self._lock:
                self._fences.pop(lease.run, None)

    def _renew_forever(self) -> None:
        beat = threading.Event()
        while True:
            with self._lock:
                fences = dict(self._fences)
            try:
                renew(self.worker, fences, settings.RUN_LEASE_SECONDS)
            except Error as error:
                # Without the database nothing can be renewed; the leases run out, and others take the runs over.
                log.warning("leases not renewed", error=str(error).splitlines()[0] if str(error) else "")
            beat.wait(settings.RUN_HEARTBEAT_SECONDS)


keeper = LeaseKeeper()
