"""Sessions, runs, steps and events; the engine that advances a run from its journal."""

from django.apps import AppConfig
from django.core.checks import register

from agents.runs.checks import check_timings


class RunsConfig(AppConfig):
    """Sessions, runs, steps and events; the engine that advances a run from its journal."""

    name = "agents.runs"
    label = "runs"

    def ready(self) -> None:
        """The timings are checked at every start."""
        register(check_timings)
