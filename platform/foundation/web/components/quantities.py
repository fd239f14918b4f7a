"""Durations, moments, money and counts as people read them. Unknown is a dash, never zero."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

DASH = "—"
MINUS = "\N{MINUS SIGN}"
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
MICRO = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86_400
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def duration(length: timedelta | float | None) -> str:
    """A length of time (seconds or timedelta): `420 ms`, `2.6 s`, `3m 56s`, `2h 5m`, `3d 4h`."""
    if length is None:
        return DASH
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE}m"
    return f"{whole // DAY}d {whole % DAY // HOUR}h"


def seconds(text: object) -> str:
    """A number of seconds that was typed, as a length of time, to the second; as it is if it is none."""
    written = str(text)
    if not written.isdigit():
        return written
    minutes, rest = divmod(int(written), MINUTE)
    hours, minutes = divmod(minutes, HOUR // MINUTE)
    days, hours = divmod(hours, DAY // HOUR)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    return (
        " ".join(
            f"{number}{' s' if unit == 's' and rest == int(written) else unit}" for number, unit in parts if number
        )
        or written
    )


def span(seconds: float) -> str:
    """One unit, rounded down: `40s`, `12m`, `5h`, `3d`. Days only from two days on. The script says the same."""
    whole = max(0, int(seconds))
    for length, unit, below in ((1, "s", MINUTE), (MINUTE, "m", HOUR), (HOUR, "h", 2 * DAY)):
        if whole < below:
            return f"{whole // length}{unit}"
    return f"{whole // DAY}d"


def written(moment: datetime) -> str:
    """A moment in full, in UTC: `23 Nov 2026 09:34:00 UTC`."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {MONTHS[utc.month - 1]} {utc:%Y %H:%M:%S} UTC"


def _time(moment: datetime, text: object, relative: str = "") -> SafeString:
    stamp = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if relative:
        return format_html(
            '<time datetime="{}" data-relative="{}" data-tip="{}">{}</time>', stamp, relative, written(moment), text
        )
    return format_html('<time datetime="{}" data-tip="{}">{}</time>', stamp, written(moment), text)


def ago(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """How long ago: for queues, where age matters. The exact moment stands in the tooltip."""
    if moment is None:
        return SafeString(DASH)
    passed = ((now or timezone.now()) - moment).total_seconds()
    return _time(moment, "now" if passed < 5 else f"{span(passed)} ago", "ago")  # noqa: PLR2004 - seconds


def until(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """How long is left until a moment."""
    if moment is None:
        return SafeString(DASH)
    left = (moment - (now or timezone.now())).total_seconds()
    return _time(moment, f"{span(left)} left" if left > 0 else "expired", "until")


def at(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """A moment as history tells it: absolute, UTC, with seconds; the year only when it is not this one."""
    if moment is None:
        return SafeString(DASH)
    utc = moment.astimezone(UTC)
    year = "" if utc.year == (now or timezone.now()).year else f"{utc.year} "
    text = format_html(
        '<span class="t2">{} {} {}</span><span class="t1">{}</span>',
        utc.day,
        MONTHS[utc.month - 1],
        year,
        f"{utc:%H:%M:%S}",
    )
    return _time(moment, text)


def money(micro: int | None, currency: str = "EUR") -> str:
    """An amount of micro-units: `€1,840.00`, below one unit `€0.091`, below a thousandth as small as it is."""
    if micro is None:
        return DASH
    symbol = SYMBOLS.get(currency, f"{currency} ")
    size = abs(micro)
    decimals = 2 if size >= MICRO or size == 0 else 3 if size >= MICRO // 1000 else 6
    return f"{MINUS if micro < 0 else ''}{symbol}{size / MICRO:,.{decimals}f}"


def count(number: float | None) -> str:
    """A count: whole with separators up to 9,999, then short (`31.7k`, `2.4M`)."""
    if number is None:
        return DASH
    for size, unit in ((1_000_000, "M"), (10_000, "k")):
        if abs(number) >= size:
            return f"{number / (1_000_000 if unit == 'M' else 1000):.1f}{unit}"
    return f"{number:,.0f}"
