"""How a worker listens for bells."""

from typing import Any

from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError


class PatientConsumer(Consumer):
    """One that outlives its broker: Celery's own ends the worker if the connection is lost while it is being made.

    Kombu then raises an error of its own, which Celery does not know as a lost connection.
    """

    connection_errors: tuple[type[Exception], ...]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connection_errors = (*self.connection_errors, OperationalError)
