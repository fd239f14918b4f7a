"""The database's clock, as near as this process knows it: time that decides is never the machine's own."""

import threading
import time
from datetime import datetime, timedelta

from django.db import connections

from agents.runs.journal import ENGINE, release_connection

_GOOD_FOR = 60.0  # seconds; two clocks drift apart by less than a millisecond in them


class DatabaseClock:
    """The database's time, carried forward by this machine's steady clock, which nobody sets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: tuple[datetime, float] | None = None

    def set(self, now: datetime) -> None:
        """The database has just said what time it is. The answer may have been on its way for a while, so that it is
        later there: of what was heard lately, the latest is the nearest."""
        at = time.monotonic()
        with self._lock:
            read = self._read
            if read is None or at - read[1] > _GOOD_FOR or now >= read[0] + timedelta(seconds=at - read[1]):
                self._read = now, at

    def now(self) -> datetime:
        """The time there, asked for if it was not heard lately."""
        with self._lock:
            read = self._read
        if read is None or time.monotonic() - read[1] > _GOOD_FOR:
            with connections[ENGINE].cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                self.set(cursor.fetchone()[0])
            release_connection()
            return self.now()
        said, at = read
        return said + timedelta(seconds=time.monotonic() - at)


clock = DatabaseClock()
