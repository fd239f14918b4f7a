"""Connections of pools, there again as soon as the database is.

After each attempt that failed, psycopg's pool pauses twice as long as before, and makes no other meanwhile: after an
outage it would be blind for as long again as the outage lasted.
"""

import atexit
import threading
import time
from typing import Any, Self

from psycopg import Connection, OperationalError

_AGAIN = 0.1  # seconds between two attempts
_PATIENCE = 60.0  # seconds; whoever asks the pool after that has it begin anew
_over = threading.Event()
# Where nothing else says so.
atexit.register(_over.set)


def connect_no_more() -> None:
    """The process ends: a pool that closes would wait for its own attempts."""
    _over.set()


class PersistentConnection(Connection[tuple[object, ...]]):
    """One that is tried for again and again until it is made."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect, whenever that is possible. Raises OperationalError when it was not for a minute."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return super().connect(conninfo, **kwargs)
            except OperationalError:
                if time.monotonic() > deadline or _over.wait(_AGAIN):
                    raise


POOL: dict[str, Any] = {"connection_class": PersistentConnection, "reconnect_timeout": 0.0}
