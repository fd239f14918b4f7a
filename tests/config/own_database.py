"""A database of a test's own, and the commands of manage.py on it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from config.environment import ROOT
from config.launch.initialise import create_database_statements

ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ENGINE_URL", "DATABASE_SYSTEM_URL", "BROKER_URL")
MODEL = "http://127.0.0.1:29123/v1"


@dataclass(frozen=True)
class OwnDatabase:
    """Its name, and a data directory of its own."""

    name: str
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of the commands."""
        addresses = {name: os.environ[name].rpartition("/")[0] + "/" + self.name for name in ADDRESSES}
        # The pool is the worker's, whose application the tests have imported.
        inherited = {name: value for name, value in os.environ.items() if name != "REMIT_POOL_SIZE"}
        return inherited | addresses | {"REMIT_DATA_DIR": str(self.data), "REMIT_REHEARSAL_URL": MODEL}

    def manage(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def rows(self, question: str, role: str = "SYSTEM") -> list[tuple[Any, ...]]:
        """What a role of the application sees."""
        with psycopg.connect(self.environment[f"DATABASE_{role}_URL"], autocommit=True) as connection:
            return connection.execute(question.encode()).fetchall()

    def as_superuser(self, *statements: str) -> None:
        """Do what no role of the application may."""
        address = os.environ["REMIT_TEST_SUPERUSER"].rpartition("/")[0] + "/" + self.name
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def make_database(data: Path) -> OwnDatabase:
    """A fresh clone of the migrated template."""
    own = OwnDatabase(f"remit_{settings.DATABASES['default']['NAME'].rpartition('_')[2]}_{os.urandom(4).hex()}", data)
    with psycopg.connect(os.environ["REMIT_TEST_SUPERUSER"], autocommit=True) as connection:
        for statement in create_database_statements(own.name, "remit"):
            connection.execute(statement.encode())
    return own
