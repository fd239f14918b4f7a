"""What starts runs without a person: schedules by the clock, triggers by a signed call."""

from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    """Schedules, their firings, and incoming triggers."""

    name = "agents.schedules"
    label = "schedules"
