"""The application of the composition root: it carries the commands of `manage.py`."""

from django.apps import AppConfig


class RemitConfig(AppConfig):
    """Names the commands' home."""

    name = "config"
    label = "config"
