"""Registers the console."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Home, search, sign-in; people, teams, keys, grants, the record; the pages of runs and agents."""

    name = "console"
    label = "console"
