"""Moments that decide: by the database's clock."""

from datetime import UTC, datetime

from foundation.batches import Cursor

LONGEST_WAIT = 30 * 86_400  # seconds: as long as a run may last
_LAST = datetime(9000, 1, 1, tzinfo=UTC)


def now(cursor: Cursor) -> datetime:
    """What the database's clock says."""
    cursor.execute("SELECT clock_timestamp()")
    moment: datetime = cursor.fetchone()[0]
    return moment


def moment_of(text: str) -> datetime | None:
    """The moment that an RFC 3339 text names; None for anything else, and for one without an offset."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None and moment < _LAST else None
    except (ValueError, OverflowError):
        return None
