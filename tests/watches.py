"""A watch over leases: for how long a run is without a worker although its lease has run out."""

import threading
import time
from types import TracebackType
from typing import Self

import psycopg

from tests.workers import superuser

_LOOK = 0.05  # seconds between two looks
_OVERDUE = (
    "SELECT extract(epoch FROM clock_timestamp() - min(lease_until))::float8 FROM runs_run "
    "WHERE state = 'running' AND lease_until < clock_timestamp()"
)


class Watch:
    """In a thread of its own. `latest` is the longest that was seen, in seconds; `moments` tells when it grew.

    A run is not stuck while Postgres itself takes no connections: what is counted begins when Postgres serves.
    """

    def __init__(self) -> None:
        self.latest = 0.0
        self.moments: dict[float, float] = {}
        self._began = self._served_since = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def postgres_is_away(self) -> None:
        """From now on nothing is counted."""
        self._served_since = float("inf")

    def postgres_serves(self) -> None:
        """From now on it is."""
        self._served_since = time.monotonic()

    def _look(self) -> None:
        while not self._over.is_set():
            try:
                with superuser() as database:
                    while not self._over.wait(_LOOK):
                        row = database.execute(_OVERDUE).fetchone()
                        overdue = min(row[0] or 0.0 if row else 0.0, time.monotonic() - self._served_since)
                        if overdue > self.latest:
                            self.latest = overdue
                            self.moments[round(time.monotonic() - self._began)] = round(overdue, 1)
            except psycopg.Error:
                self._over.wait(_LOOK)
