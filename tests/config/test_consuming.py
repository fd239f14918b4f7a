"""A worker whose broker goes away while it connects, or ends a connection that hangs, listens again; Celery's
own consumer gives up.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.thread import TaskPool
from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer
from celery.worker.consumer.heart import Heart
from kombu.exceptions import OperationalError
from kombu.utils.imports import symbol_by_name
from psycopg.errors import IdleInTransactionSessionTimeout

from config.celery import app
from config.consuming import PatientConsumer


class Steps:
    """A consumer's steps as it takes them: first the broker is lost, then, if it begins again, it is asked to end."""

    state, restarts = 0, 0

    def __init__(self, error: Exception) -> None:
        self.error = error

    def start(self, _: Any) -> None:
        """What Celery calls to listen."""
        if self.restarts:
            raise WorkerShutdown(0)
        raise self.error

    def restart(self, _: Any) -> None:
        """What it calls before it begins again."""
        self.restarts += 1


ERRORS = [OperationalError("server closed the connection unexpectedly"), IdleInTransactionSessionTimeout()]


def listen(kind: type[Consumer], error: Exception) -> Steps:
    worker = SimpleNamespace(use_eventloop=False, semaphore=None)
    consumer = kind(lambda *_: None, app=app, hostname="one", pool=TaskPool(1, app=app), controller=worker)
    steps = consumer.blueprint = Steps(error)
    with pytest.raises(WorkerShutdown):
        consumer.start()
    return steps


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_listens_again(error: Exception) -> None:
    assert listen(PatientConsumer, error).restarts == 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_celerys_own_would_not(error: Exception) -> None:
    """If this fails, Celery has learnt it, and ours may do without."""
    with pytest.raises(type(error)):
        listen(Consumer, error)


def test_it_tells_the_broker_nothing_about_itself() -> None:
    """The embedded broker refuses such words each time, and Celery keeps what was refused for as long as it runs."""
    worker = SimpleNamespace(use_eventloop=False, semaphore=None)
    options = {"without_heartbeat": False, "without_mingle": True, "without_gossip": True}  # as the shell gives them
    consumer = PatientConsumer(
        lambda *_: None, app=app, hostname="one", pool=TaskPool(1, app=app), controller=worker, worker_options=options
    )
    assert Heart.name not in [step.name for step in consumer.steps]


def test_it_is_the_one_that_workers_have() -> None:
    assert symbol_by_name(app.conf.worker_consumer) is PatientConsumer


def test_it_sees_soon_that_it_is_to_end() -> None:
    """Celery looks between two turns of listening only, and gives each of them two seconds."""
    worker = SimpleNamespace(use_eventloop=False, semaphore=None)
    consumer = PatientConsumer(lambda *_: None, app=app, hostname="one", pool=TaskPool(1, app=app), controller=worker)
    asked: list[dict[str, float]] = []
    consumer.connection = SimpleNamespace(drain_events=lambda **options: asked.append(options))
    consumer.task_consumer = consumer.qos = None
    heard = consumer.loop_args()[1]
    heard.drain_events(timeout=2.0)
    heard.drain_events(timeout=0.2)
    assert asked == [{"timeout": 0.5}, {"timeout": 0.2}]


def test_nor_does_its_clock_keep_it_long() -> None:
    """Whoever ends a worker waits for the end of its clock's present sleep: of a second, in Celery's own."""
    assert app.conf.worker_timer_precision == 0.1
