"""The moments of a schedule, by its own time zone: pure, and the same on every machine.

A cron line whose hour field is `*` follows the time that really passes: a repeated hour counts twice, one that is left
out does not count. Any other hour field names hours of the clock on the wall: each happens once on its day, the first
time when the clock shows it twice, and right after the gap when it never shows it.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from agents.schedules.models import ScheduleKind
from foundation.errors import InvalidError

SHORTEST = 10  # seconds between two moments of an interval
LONGEST = 10 * 366 * 24 * 3600

_FIELDS = 5
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LONGEST_GAP = timedelta(hours=25)  # Samoa left out a whole day
_INSTANT = timedelta(microseconds=1)
_LAST = datetime(9000, 1, 1, tzinfo=UTC)  # far enough from where dates end to add a zone's offset


class Timing(Protocol):
    """What a schedule says of its moments (the model is one)."""

    @property
    def kind(self) -> str:
        """A `ScheduleKind`."""

    @property
    def expression(self) -> str:
        """The cron line, or the seconds of an interval."""

    @property
    def time_zone(self) -> str:
        """IANA name."""

    @property
    def starts_at(self) -> datetime:
        """No moment is earlier."""

    @property
    def ends_at(self) -> datetime | None:
        """No moment is later."""


class Due(NamedTuple):
    """The newest moments of a stretch of time, in order; `older`: there are more, before them."""

    moments: list[datetime]
    older: bool


def upcoming(schedule: Timing, after: datetime, count: int) -> list[datetime]:
    """The next `count` moments after `after`, in UTC, in order; fewer when there are no more."""
    return list(islice(moments(schedule, after), count))


def moments(schedule: Timing, after: datetime) -> Iterator[datetime]:
    """All moments after `after`, in UTC, each once."""
    start = max(after.astimezone(UTC), schedule.starts_at.astimezone(UTC) - _INSTANT)
    end = min(schedule.ends_at.astimezone(UTC) if schedule.ends_at else _LAST, _LAST)
    return takewhile(lambda moment: moment <= end, _every(schedule, start))


def newest(schedule: Timing, since: datetime, until: datetime, most: int) -> Due:
    """The newest `most` moments from `since` to `until`, both included, without a walk through all of them."""
    reach = timedelta(hours=1)
    while True:
        start = max(since - _INSTANT, until - reach)
        found = deque(takewhile(lambda moment: moment <= until, moments(schedule, start)), most + 1)
        if len(found) > most or start < since:
            return Due(list(found)[-most:], len(found) > most)
        reach *= 2


def check_timing(schedule: Timing) -> None:
    """Raises InvalidError for what names no moments, with the field that is wrong."""
    zone_of(schedule.time_zone)
    if schedule.ends_at is not None and schedule.ends_at < schedule.starts_at:
        raise InvalidError("The schedule ends before it starts: choose a later end.", "ends_at")
    match schedule.kind:
        case ScheduleKind.CRON:
            _check_cron(schedule.expression)
        case ScheduleKind.INTERVAL:
            _check_interval(schedule.expression)
        case ScheduleKind.ONCE:
            if schedule.expression:
                raise InvalidError("A schedule that happens once has no expression: leave it empty.", "expression")
        case _:
            raise InvalidError(f"{schedule.kind!r} is no kind: use cron, interval or once.", "kind")


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises InvalidError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidError(f"{name!r} is no time zone: use an IANA name such as Europe/Berlin.", "time_zone") from None


def _check_cron(expression: str) -> None:
    if len(expression.split()) != _FIELDS:
        raise InvalidError("A cron line has five fields: minute, hour, day of month, month, day of week.", "expression")
    try:
        found = next(CronSim(expression, datetime(2000, 1, 1)), None)  # noqa: DTZ001 - the wall's clock
    except CronSimError as error:
        raise InvalidError(f"{expression!r} is no cron line: {error}.", "expression") from None
    if found is None:
        raise InvalidError(f"{expression!r} names a day that does not come in fifty years.", "expression")


def _check_interval(expression: str) -> None:
    right = expression.isascii() and expression.isdigit() and len(expression) <= len(str(LONGEST))
    if not right or not SHORTEST <= int(expression) <= LONGEST:
        raise InvalidError(f"An interval is a number of seconds from {SHORTEST} to {LONGEST}.", "expression")


def _every(schedule: Timing, after: datetime) -> Iterator[datetime]:
    first = schedule.starts_at.astimezone(UTC)
    match schedule.kind:
        case ScheduleKind.CRON:
            zone, line = zone_of(schedule.time_zone), schedule.expression
            return _by_time(line, zone, after) if line.split()[1] == "*" else _by_wall(line, zone, after)
        case ScheduleKind.INTERVAL:
            return _interval(first, timedelta(seconds=int(schedule.expression)), after)
    return iter([first] if first > after else [])


def _interval(first: datetime, step: timedelta, after: datetime) -> Iterator[datetime]:
    moment = first if after < first else first + step * ((after - first) // step + 1)
    while moment <= _LAST:
        yield moment
        moment += step


def _by_wall(line: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    # cronsim sees a clock that no zone ever changes. What it shows becomes an instant that never goes back, so what
    # is not later than the last one was there already.
    last = after
    for wall in CronSim(line, after.astimezone(zone).replace(tzinfo=None)):
        moment = _instant(wall, zone)
        if moment > last:
            yield moment
            last = moment


def _by_time(line: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    # Between two changes of the offset the wall's clock runs evenly; each such stretch is walked by itself.
    here, start, offset = after, after, _offset(zone, after)
    while True:
        for wall in CronSim(line, (start + offset).replace(tzinfo=None)):
            moment = wall.replace(tzinfo=UTC) - offset
            change = _change(zone, here, moment)
            if change is not None:
                here, start, offset = change, change - _SECOND, _offset(zone, change)
                break
            yield moment
            here = moment
        else:
            return


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the wall's clock shows it first; if it never does, the end of the gap that holds it."""
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    return _change(zone, found - _LONGEST_GAP, found) or found


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime | None:
    """The first second after `low`, up to `high`, at which another offset holds than at `low`."""
    low = low.replace(microsecond=0)
    before = _offset(zone, low)
    while low < high:
        ahead = min(low + _DAY, high)
        if _offset(zone, ahead) != before:
            while ahead - low > _SECOND:
                middle = low + (ahead - low) // _SECOND // 2 * _SECOND
                low, ahead = (middle, ahead) if _offset(zone, middle) == before else (low, middle)
            return ahead
        low = ahead
    return None


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
