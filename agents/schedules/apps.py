"""What starts runs without a person: schedules by the clock, triggers by a signed call."""

from django.apps import AppConfig

from foundation.secrets.columns import register_column


class SchedulesConfig(AppConfig):
    """Schedules, their firings, and incoming triggers."""

    name = "agents.schedules"
    label = "schedules"

    def ready(self) -> None:
        """The rotation of the sealing key covers this app's column."""
        register_column("schedules.Trigger", "sealed_secret", lambda row: f"trigger:{row.pk}")
