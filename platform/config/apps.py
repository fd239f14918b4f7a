"""The application of the composition root: it carries the commands of `manage.py`."""

import atexit

from django.apps import AppConfig
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from config.celery import app


class RemitConfig(AppConfig):
    """Names the commands' home."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        """Every thread of every process rings the bell through our broker, not through Celery's default one."""
        app.set_default()
        atexit.register(_close_pools)


def _close_pools() -> None:
    # While threads still run: from Python 3.13 on, a pool that is found open at the very end waits for its own in vain.
    for connection in connections.all():
        if isinstance(connection, DatabaseWrapper):
            connection.close_pool()
