"""Sessions, runs, steps and events; the engine that advances a run from its journal."""

from django.apps import AppConfig
from django.core.checks import register

from agents.runs.checks import check_timings
from foundation.secrets.columns import register_column


class RunsConfig(AppConfig):
    """Sessions, runs, steps and events; the engine that advances a run from its journal."""

    name = "agents.runs"
    label = "runs"

    def ready(self) -> None:
        """The timings are checked at every start; the secrets of callbacks are sealed anew with a new key."""
        register(check_timings)
        register_column("runs.Callback", "sealed_secret", lambda row: f"callback:{row.pk}")
