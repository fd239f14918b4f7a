"""What a schedule does and when, as a value: what forms and the REST face hand to the services."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from agents.schedules.models import CatchUp, Overlap, Schedule, ScheduleKind
from agents.schedules.moments import check_timing, upcoming
from foundation.audit.plain import plain
from foundation.digests import digest_of
from foundation.errors import InvalidError
from foundation.inputs import checked_json, checked_text

LONGEST_EXPRESSION = 120
LARGEST_INPUT = 1_000_000  # bytes of JSON
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(8000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is chosen of a schedule. `starts_at` None is now; `input` is text, or an object.

    `expression` is the cron line (five fields, read in `time_zone`), or the seconds of an interval, or empty for once.
    """

    name: str
    kind: str
    input: str | dict[str, Any]
    expression: str = ""
    time_zone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    catch_up: str = CatchUp.LATEST
    overlap: str = Overlap.SKIP

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """What a schedule has now, to change some of it with `dataclasses.replace`."""
        return cls(**{name: getattr(schedule, name) for name in cls.__dataclass_fields__})

    @property
    def digest(self) -> str:
        """Another one for whatever is chosen otherwise."""
        return digest_of(plain(asdict(self)))


def checked(plan: Plan, now: datetime) -> Schedule:
    """A schedule, not saved, with `next_at` after `now`. Raises InvalidError with the field."""
    schedule = Schedule(
        name=checked_text(plan.name, 120), kind=_one_of(ScheduleKind, plan.kind, "kind"),
        input=_checked_input(plan.input), expression=" ".join(plan.expression.split()), time_zone=plan.time_zone,
        starts_at=_checked_moment(plan.starts_at or now, "starts_at"),
        ends_at=plan.ends_at and _checked_moment(plan.ends_at, "ends_at"),
        catch_up=_one_of(CatchUp, plan.catch_up, "catch_up"), overlap=_one_of(Overlap, plan.overlap, "overlap"),
    )  # fmt: skip
    if len(schedule.expression) > LONGEST_EXPRESSION:
        raise InvalidError(f"The expression is longer than {LONGEST_EXPRESSION} characters: shorten it.", "expression")
    check_timing(schedule)
    schedule.next_at = first_after(schedule, now)
    return schedule


def first_after(schedule: Schedule, now: datetime) -> datetime:
    """The next moment. Raises InvalidError when there is none."""
    for moment in upcoming(schedule, now, 1):
        return moment
    field = "starts_at" if schedule.kind == ScheduleKind.ONCE else "ends_at"
    raise InvalidError("No moment of this schedule is left: choose a later one.", field)


def _one_of(choices: Any, value: str, field: str) -> str:
    if value not in choices.values:
        raise InvalidError(f"{value!r} is none of {', '.join(choices.values)}.", field)
    return value


def _checked_moment(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise InvalidError("The moment names no time zone: add one, such as Z or +01:00.", field)
    if not _EARLIEST < moment < _LATEST:
        raise InvalidError("The moment is out of all proportion: choose one nearer to today.", field)
    return moment.astimezone(UTC)


def _checked_input(given: Any) -> Any:
    if not isinstance(given, dict) and not (isinstance(given, str) and given.strip()):
        raise InvalidError("Say what the agent is to do: give text, or an object.", "input")
    return checked_json(given, LARGEST_INPUT, "input")
