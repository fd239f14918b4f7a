"""How deep lists and objects may lie in one another where a journal is to hold them."""

from collections.abc import Iterable
from typing import Any

MOST_LEVELS = 100  # what writes the journal bears some 250


def is_too_deep(value: Any) -> bool:
    """Whether there are more levels than that; it is looked at level by level, however many there are."""
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
