"""A real Postgres for the whole suite: one temporary cluster, and for each worker its own clone of a migrated template.

Rows are committed, as in life: a test makes its own organisation and sees nobody else's, because tenants never meet.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import django
import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.client import ClientHandler
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg.pq import TransactionStatus

from config.launch.cluster import Cluster
from config.launch.initialise import create_database_statements

ROOT = Path(__file__).resolve().parent.parent
ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ENGINE_URL", "DATABASE_SYSTEM_URL", "BROKER_URL")

pytest_plugins = ("tests.houses", "tests.not_run")

_started: list[tuple[Cluster, str]] = []


def _start_cluster() -> None:
    folder = tempfile.mkdtemp(prefix="remit-tests-")
    cluster = Cluster(Path(folder), settings={"fsync": "off"})
    cluster.start()
    _started.append((cluster, folder))
    os.environ.update(cluster.environment(), REMIT_DATA_DIR=folder, REMIT_TEST_SUPERUSER=cluster.superuser_url())
    os.environ.setdefault("REMIT_OUTBOUND_ALLOW", "")
    subprocess.run(
        [
            sys.executable,
            "manage.py",
            "migrate",
            "--skip-checks",
            "--database",
            "owner",
            "--no-input",
            "--verbosity",
            "0",
        ],
        check=True,
        cwd=ROOT,
    )


def _clone(name: str) -> None:
    with psycopg.connect(os.environ["REMIT_TEST_SUPERUSER"], autocommit=True) as connection:
        for statement in create_database_statements(name, "remit"):
            connection.execute(statement.encode())
    for address in ADDRESSES:
        os.environ[address] = os.environ[address].rpartition("/")[0] + "/" + name


worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if not worker:
    _start_cluster()
if worker or re.search(r" (-n|--numprocesses)[ =]?+(?!0\b)", " ".join(sys.argv)) is None:
    _clone(f"remit_{worker or 'main'}")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
# Other conftest files import models before pytest-django would set Django up.
django.setup()
# A worker that inherited it would read the settings before it has its own clone.
del os.environ["DJANGO_SETTINGS_MODULE"]
# What makes a password slow to guess makes a suite slow that signs in a thousand times (test_passwords_are_slow).
django_settings.PASSWORD_HASHERS = ["tests.passwords.QuickHasher", *django_settings.PASSWORD_HASHERS[1:]]
# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile(
    "busy", hypothesis_settings(), suppress_health_check=[HealthCheck.too_slow], deadline=None
)
hypothesis_settings.load_profile("busy")


def pytest_unconfigure() -> None:
    """Stop the cluster with the last test."""
    for cluster, folder in _started:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def one_chain_of_middleware() -> None:
    """For all test clients: building one reads every static file, and a client builds its own."""
    # WhiteNoise warns of a folder that is not there, and here a warning is an error.
    Path(django_settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    handler: Any = ClientHandler()
    handler.load_middleware()
    ClientHandler._middleware_chain = staticmethod(handler._middleware_chain)


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """The clone is already there."""


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[AbstractContextManager[None]]:
    """Access to the database under all four roles, with real commits."""
    with django_db_blocker.unblock():
        yield django_db_blocker.unblock
        for connection in connections.all(initialized_only=True):
            # What is as it was opened serves the next test too: opening anew takes longer than most statements.
            if connection.connection is not None and not _is_idle(connection):
                connection.close()


def _is_idle(connection: BaseDatabaseWrapper) -> bool:
    raw = connection.connection
    return not connection.in_atomic_block and raw.info.transaction_status == TransactionStatus.IDLE


@pytest.fixture
def database_urls() -> dict[str, str]:
    """The addresses of this worker's database, by the name of the environment variable."""
    return {address: os.environ[address] for address in ADDRESSES}


@pytest.fixture
def data_directory() -> Path:
    """Where keys and outbox of this suite live."""
    return Path(django_settings.DATA_DIR)
