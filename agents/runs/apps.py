"""Sessions, runs, steps and events; the engine that advances a run from its journal."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """Sessions, runs, steps and events; the engine that advances a run from its journal."""

    name = "agents.runs"
    label = "runs"
