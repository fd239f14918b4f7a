"""How a worker listens for bells."""

from typing import Any

from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout

_LOOK = 0.5  # seconds between two looks whether the worker is to end; Celery has two


class PatientConsumer(Consumer):
    """One that outlives its broker: Celery's own ends the worker if the connection is lost while it is being made, or
    if Postgres has ended it because it hung in the midst of a message.

    Neither error is known to Celery as a lost connection. Nor does it tell the broker every two seconds that it lives:
    nobody listens, the embedded broker refuses such words, and Celery keeps all that was refused.
    """

    connection_errors: tuple[type[Exception], ...]
    hub: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **(options | {"without_heartbeat": True}))
        self.connection_errors = (*self.connection_errors, OperationalError, IdleInTransactionSessionTimeout)

    def loop_args(self) -> tuple[Any, ...]:
        """What Celery's loop is given. Where it listens in turns, not by events, each turn is short."""
        consumer, connection, *others = super().loop_args()
        return (consumer, connection if self.hub else _Brief(connection), *others)


class _Brief:
    """A connection on which nobody listens for long at a time: only in between does Celery see that it is to end."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def drain_events(self, timeout: float) -> Any:
        return self._connection.drain_events(timeout=min(timeout, _LOOK))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
