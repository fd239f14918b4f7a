"""The application of the composition root: it carries the commands of `manage.py`."""

from django.apps import AppConfig

from config.celery import app


class RemitConfig(AppConfig):
    """Names the commands' home."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        """Every thread of every process rings the bell through our broker, not through Celery's default one."""
        app.set_default()
