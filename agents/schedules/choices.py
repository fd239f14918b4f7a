"""Which of the moments that are due are to run, and which are left out: pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from agents.schedules.models import CatchUp
from agents.schedules.moments import Due

MOST = 100  # moments of one schedule that are looked at, at one time, and that wait in its queue
LATE = timedelta(seconds=60)  # from then on a moment counts as missed

_TOO_MANY = f"This moment, and the others before the newest {MOST}, passed while nothing ran."


def chosen(catch_up: str, due: Due, since: datetime, now: datetime) -> Iterator[tuple[datetime, str]]:
    """Each moment, in order, with the reason for which it is left out, or none. `since` is the oldest that is due."""
    if due.older:
        yield since, _TOO_MANY
    for moment in due.moments:
        yield moment, _left_out(catch_up, moment, due.moments[-1], now)


def _left_out(catch_up: str, moment: datetime, newest: datetime, now: datetime) -> str:
    if catch_up == CatchUp.SKIP and now - moment > LATE:
        return "Nothing ran at this moment, and what was missed is not caught up."
    if catch_up == CatchUp.LATEST and moment != newest:
        return "A later moment was due too: it stands for all of them."
    return ""
