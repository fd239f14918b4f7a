"""A Postgres of a test's own: to be crashed, measured, or reached from elsewhere, while the suite's goes on."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings as django_settings
from django.db import connections
from kombu import pools

from config.celery import app
from config.environment import ROOT, database
from config.launch.cluster import Cluster

ALIASES = {
    "default": "DATABASE_URL",
    "owner": "DATABASE_OWNER_URL",
    "engine": "DATABASE_ENGINE_URL",
    "system": "DATABASE_SYSTEM_URL",
}


def crash(cluster: Cluster) -> None:
    """What `pg_ctl restart -m immediate` does: the server quits without a farewell, starts again and recovers."""
    if cluster.process is not None:
        cluster.process.send_signal(signal.SIGQUIT)
        cluster.process.wait()
    cluster.start()
    connections.close_all()
    ring_anew()


def ring_anew() -> None:
    """This process rings its next bell on a new connection: the broker has begun anew."""
    _ring_at(app.conf.broker_url, app.conf.broker_transport_options)


def through(environment: Mapping[str, str], host: str, port: int) -> dict[str, str]:
    """The same addresses by another way: a proxy, or another host."""

    def moved(address: str) -> str:
        parts = urlsplit(address)
        return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{host}:{port}"))

    return {name: moved(address) for name, address in environment.items()}


@contextmanager
def own_cluster(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A migrated cluster that this process and the workers that it starts use while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="remit-own-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, settings={"fsync": "off", **(settings or {})})
    try:
        cluster.start()
        with monkeypatch.context() as patch:
            # Serving sets it; a pool of Django's would outlive this cluster.
            patch.delenv("REMIT_POOL_SIZE", raising=False)
            for name, value in (cluster.environment() | {"REMIT_TEST_SUPERUSER": cluster.superuser_url()}).items():
                patch.setenv(name, value)
            migrate = [sys.executable, "manage.py", "migrate", "--skip-checks", "--database", "owner", "--no-input"]
            subprocess.run([*migrate, "--verbosity", "0"], check=True, cwd=ROOT)
            with _moved(patch):
                yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ringing(address: str, options: Mapping[str, Any]) -> Iterator[None]:
    """This process rings its bells at another broker."""
    former = app.conf.broker_url, app.conf.broker_transport_options
    # A patch of its own, undone at the end of the block: undone with the test, it would bring back the address of a
    # cluster that is gone by then.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROKER_URL", address)
        _ring_at(address, options)
        try:
            yield
        finally:
            _ring_at(*former)


@contextmanager
def _moved(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Django's connections, of all threads, and the bells go where the environment says."""
    connections.close_all()
    for alias, name in ALIASES.items():
        for key, value in database(name).items():
            patch.setitem(connections.settings[alias], key, value)
    # Read before the settings change: Celery reads them at first use.
    options = dict(app.conf.broker_transport_options)
    address = os.environ["BROKER_URL"]
    patch.setattr(django_settings, "BROKER_URL", address)
    options |= {"conn_string": address.replace("pgmq:", "postgresql:", 1)}
    try:
        with ringing(address, options):
            yield
    finally:
        connections.close_all()


def _ring_at(address: str, options: Mapping[str, Any]) -> None:
    app.conf.broker_url, app.conf.broker_transport_options = address, dict(options)
    pools.reset()
    app._pool = app.amqp._producer_pool = None
