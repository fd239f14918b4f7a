"""A worker whose broker goes away while the connection is being made listens again; Celery's own consumer gives up."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.thread import TaskPool
from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError
from kombu.utils.imports import symbol_by_name

from config.celery import app
from config.consuming import PatientConsumer


class Steps:
    """A consumer's steps as it takes them: first the broker is lost, then, if it begins again, it is asked to end."""

    state, restarts = 0, 0

    def start(self, _: Any) -> None:
        """What Celery calls to listen."""
        if self.restarts:
            raise WorkerShutdown(0)
        raise OperationalError("server closed the connection unexpectedly")

    def restart(self, _: Any) -> None:
        """What it calls before it begins again."""
        self.restarts += 1


def listen(kind: type[Consumer]) -> Steps:
    worker = SimpleNamespace(use_eventloop=False, semaphore=None)
    consumer = kind(lambda *_: None, app=app, hostname="one", pool=TaskPool(1, app=app), controller=worker)
    steps = consumer.blueprint = Steps()
    with pytest.raises(WorkerShutdown):
        consumer.start()
    return steps


def test_it_listens_again() -> None:
    assert listen(PatientConsumer).restarts == 1


def test_celerys_own_would_not() -> None:
    """If this fails, Celery has learnt it, and ours may go."""
    with pytest.raises(OperationalError):
        listen(Consumer)


def test_it_is_the_one_that_workers_have() -> None:
    assert symbol_by_name(app.conf.worker_consumer) is PatientConsumer
