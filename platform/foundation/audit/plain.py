"""Values made plain enough to be stored as JSON and to have one canonical form (RFC 8785)."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

_EXACT = 2**53 - 1  # the largest integer that RFC 8785 can write


def plain_text(value: str) -> str:
    """Text that PostgreSQL stores: no NUL, no half of a surrogate pair. Hostile text must not break the record."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "�").encode("utf-8", "replace").decode()


def plain(value: Any, *, fractions: bool = False) -> Any:
    """JSON of `value`. What JSON cannot hold exactly becomes text; fractions too, unless they are allowed."""
    if type(value) is str:
        return plain_text(value)
    if isinstance(value, Mapping):
        return {plain_text(str(name)): plain(inner, fractions=fractions) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, fractions=fractions) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(inner, fractions=fractions) for inner in value), key=str)
    return _scalar(value.value if isinstance(value, Enum) else value, fractions=fractions)


def instant(moment: datetime) -> str:
    """A moment in UTC to the microsecond, always written alike."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _scalar(value: Any, *, fractions: bool) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else str(value)
    if isinstance(value, float):
        return value if fractions and math.isfinite(value) else repr(value)
    return plain_text(_as_text(value))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat()
    if isinstance(value, (UUID, Decimal, date)):
        return str(value)
    raise TypeError(f"A {type(value).__name__} is no plain value: give the record text, numbers, lists and objects.")
