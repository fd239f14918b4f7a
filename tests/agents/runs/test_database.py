"""A process that ends while its database is away ends at once, and does not wait for its pool's next attempt."""

import os
import socket
import subprocess
import sys

import pytest

from tests.clusters import through
from tests.workers import ROOT

_ASKS = """
import django
django.setup()
from psycopg_pool import PoolTimeout
from agents.runs.database import engine_pool
try:
    engine_pool().getconn(0.5)
except PoolTimeout:
    print("in vain", flush=True)
"""
_SOON = 3  # seconds; a pool that closes waits five for whoever makes a connection


@pytest.mark.slow
def test_it_does_not_wait_for_the_database(database_urls: dict[str, str]) -> None:
    with socket.socket() as nobody:
        # Bound, and so nobody else's; it does not listen.
        nobody.bind(("127.0.0.1", 0))
        environment = {
            **os.environ, **through(database_urls, "127.0.0.1", nobody.getsockname()[1]),
            "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        }  # fmt: skip
        command = [sys.executable, "-c", _ASKS]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "in vain\n"
                assert process.wait(_SOON) == 0
            finally:
                process.kill()
