"""How a worker listens for bells."""

from typing import Any

from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout


class PatientConsumer(Consumer):
    """One that outlives its broker: Celery's own ends the worker if the connection is lost while it is being made, or
    if Postgres has ended it because it hung in the midst of a message.

    Neither error is known to Celery as a lost connection. Nor does it tell the broker every two seconds that it lives:
    nobody listens, the embedded broker refuses such words, and Celery keeps all that was refused.
    """

    connection_errors: tuple[type[Exception], ...]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **(options | {"without_heartbeat": True}))
        self.connection_errors = (*self.connection_errors, OperationalError, IdleInTransactionSessionTimeout)
