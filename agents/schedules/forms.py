"""Forms on schedules and triggers."""

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import available_timezones

from django import forms

from agents.schedules.models import CatchUp, Overlap, ScheduleKind
from agents.schedules.moments import zone_of
from foundation.errors import InvalidError

KINDS = [
    (ScheduleKind.CRON.value, "By a cron line"),
    (ScheduleKind.INTERVAL.value, "At an interval"),
    (ScheduleKind.ONCE.value, "Once"),
]
_MOMENT = {"type": "datetime-local", "step": "1"}


def zones() -> list[str]:
    """The names of all time zones, UTC first."""
    return ["UTC", *sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))]


class ScheduleForm(forms.Form):
    """What an agent gets, and when. Moments are typed and shown in the schedule's own zone."""

    name = forms.CharField(max_length=120)
    agent = forms.ChoiceField(help_text="Only agents that you may start are offered: its runs begin in your name.")
    kind = forms.ChoiceField(label="When", choices=KINDS, initial=ScheduleKind.CRON)
    expression = forms.CharField(
        label="Cron line, or seconds",
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"class": "code", "placeholder": "30 7 * * 1-5"}),
        help_text="Minute, hour, day of month, month, day of week; for an interval its seconds; for once nothing.",
    )
    time_zone = forms.CharField(
        label="Time zone",
        max_length=60,
        initial="UTC",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Hours of a cron line, and the moments below, are those of its clocks: 7:30 stays 7:30 in summer.",
    )
    starts_at = forms.DateTimeField(
        label="From",
        required=False,
        widget=forms.DateTimeInput(attrs=_MOMENT, format="%Y-%m-%dT%H:%M:%S"),
        help_text="In the zone above. Empty is now. For once, this is the moment.",
    )
    ends_at = forms.DateTimeField(
        label="Until",
        required=False,
        widget=forms.DateTimeInput(attrs=_MOMENT, format="%Y-%m-%dT%H:%M:%S"),
        help_text="In the zone above. Empty is for ever.",
    )
    catch_up = forms.ChoiceField(
        label="Moments that passed while nothing ran", choices=CatchUp.choices, initial=CatchUp.LATEST
    )
    overlap = forms.ChoiceField(
        label="When the former run has not ended", choices=Overlap.choices, initial=Overlap.SKIP
    )
    input = forms.CharField(
        label="Input",
        strip=False,
        max_length=1_000_000,
        widget=forms.Textarea(attrs={"rows": 8, "class": "code"}),
        help_text="What the agent gets each time. It is treated as untrusted text.",
    )

    def clean(self) -> dict[str, Any]:
        """The moments as those of the zone."""
        values: dict[str, Any] = self.cleaned_data
        try:
            zone = zone_of(values.get("time_zone") or "UTC")
        except InvalidError as error:
            self.add_error("time_zone", error.message)
            return values
        for field in ("starts_at", "ends_at"):
            if isinstance(values.get(field), datetime):
                values[field] = in_zone(values[field], zone)
        return values


def in_zone(typed: datetime, zone: tzinfo) -> datetime:
    """What was typed (Django took it for UTC) as a moment of a zone's clocks."""
    try:
        return typed.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        # Where dates end. It is refused whatever the zone, by whoever looks at moments.
        return typed


class TriggerForm(forms.Form):
    """An address for another system."""

    name = forms.CharField(max_length=120, help_text="Who calls it. Shown in the record.")
    agent = forms.ChoiceField(help_text="Only agents that you may start are offered: its runs begin in your name.")
