"""When a failed model call is tried again."""

import random

_DELAYS = (1.0, 4.0, 15.0)  # seconds before the second, third and fourth attempt


def delay_before(attempt: int) -> float | None:
    """Seconds to wait before an attempt (counted from 1), with up to a quarter more at random; None: no more."""
    index = attempt - 2
    if index >= len(_DELAYS):
        return None
    return _DELAYS[index] * (1 + random.random() / 4)  # noqa: S311 - spreads load, guards nothing
