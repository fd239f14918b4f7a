"""Celery: the doorbell of the runs. It is transport, never truth: every run's state is in its rows."""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Doorbell(Celery):
    """The application, configured at first use, when the environment names the broker."""

    def __init__(self) -> None:
        super().__init__("remit")
        self.config_from_object("config.doorbell")


app: Any = Doorbell()
app.autodiscover_tasks(["agents.runs", "agents.schedules", "governance.approvals", "config"], force=False)
