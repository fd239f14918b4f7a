"""Identifiers: UUID version 7 (RFC 9562, section 5.7), made by the application and ordered by time."""

import os
import struct
import threading
import time
from datetime import UTC, datetime
from uuid import UUID, SafeUUID

_lock = threading.Lock()
_last = 0
_random: list[int] = []  # random bits for the next ids: to ask the system for each costs more than all the rest
_ASKED = 128

_SEQUENCE_MASK = (1 << 12) - 1


def uuid7() -> UUID:
    """A new UUIDv7, strictly greater than every earlier one of this process.

    The 12 bits after the version hold sub-millisecond time (RFC 9562, section 6.2, method 3), pushed
    forward when the clock has not moved, so that ids of one process sort in the order they were made.
    """
    global _last  # noqa: PLW0603 - the process-wide clock of this generator
    nanoseconds = time.time_ns()
    ticks = (nanoseconds // 1_000_000 << 12) | ((nanoseconds % 1_000_000) * 4096 // 1_000_000)
    with _lock:
        _last = ticks = max(ticks, _last + 1)
        if not _random:
            _random.extend(struct.unpack(f"{_ASKED}Q", os.urandom(8 * _ASKED)))
        tail = _random.pop() & ((1 << 62) - 1)
    return _made((ticks >> 12) << 80 | 7 << 76 | (ticks & _SEQUENCE_MASK) << 64 | 2 << 62 | tail)


def _made(value: int) -> UUID:
    # As UUID(int=value), without its looks at what else it may have been given: they cost more than all the rest.
    made = UUID.__new__(UUID)
    object.__setattr__(made, "int", value)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


# A child process must not have the same ones.
os.register_at_fork(after_in_child=_random.clear)


def lowest_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment: the bound of a partition, or of a search by time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def moment_of(identifier: UUID) -> datetime:
    """When a UUIDv7 was made, in UTC, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)
