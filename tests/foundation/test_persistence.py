"""After an outage a pool has a connection again as soon as the database answers, however long it was away."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from psycopg_pool import ConnectionPool

from agents.runs.database import engine_pool
from config.environment import database
from tests.clusters import through
from tests.proxies import Proxy

REFUSED = 5  # attempts, after which a pool of psycopg's would pause for 16 s


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way of the engine's role to its database, on which nothing gets through for some time."""
    here = settings.DATABASES["engine"]
    with Proxy(int(here["PORT"])) as made:
        monkeypatch.setitem(here, "PORT", str(made.port))
        made.refuses = REFUSED
        yield made


def seconds_until_it_answers(pool: Any, proxy: Proxy) -> float:
    began = time.monotonic()
    with pool.connection(timeout=20) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert proxy.refuses == 0
    return time.monotonic() - began


def test_the_engine_commits_again_at_once(proxy: Proxy) -> None:
    pool = engine_pool()
    try:
        assert seconds_until_it_answers(pool, proxy) < 5
    finally:
        pool.close()


def test_the_pools_of_django_are_as_persistent(
    proxy: Proxy, database_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMIT_POOL_SIZE", "2")
    address = through(database_urls, "127.0.0.1", proxy.port)["DATABASE_ENGINE_URL"]
    monkeypatch.setenv("DATABASE_ENGINE_URL", address)
    given = database("DATABASE_ENGINE_URL")["OPTIONS"]["pool"]
    with ConnectionPool(address, open=True, **given) as pool:
        assert seconds_until_it_answers(pool, proxy) < 5
