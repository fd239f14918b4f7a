"""The shop of the sample, installed in this worker's database."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from agents.tools.port import ToolRequest
from config.sample.database import install

ORGANISATION = UUID("01930000-0000-7000-8000-000000000001")
RUN = UUID("01930000-0000-7000-8000-000000000002")


@pytest.fixture(scope="session")
def owner_url() -> str:
    """The address of the database's owner."""
    return os.environ["DATABASE_OWNER_URL"]


@pytest.fixture(scope="session")
def shop(owner_url: str) -> dict[str, str]:
    """Installed once; the connection strings of the two roles."""
    with psycopg.connect(owner_url) as connection:
        return install(connection)


@pytest.fixture
def owner(owner_url: str, shop: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """The database's owner, whose changes are undone after the test."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        yield connection
        connection.execute("DELETE FROM sample_ledger.refunds WHERE idempotency_key NOT LIKE 'before the sample%'")
        connection.execute("DELETE FROM sample_ledger.payouts")


@pytest.fixture
def ask() -> Callable[..., ToolRequest]:
    """A request as the engine would make it."""

    def make(operation: str, *, key: str = "key-1", secret: str | None = None, settings: Any = None, **arguments: Any):
        return ToolRequest(
            operation=operation,
            arguments=arguments,
            idempotency_key=key,
            settings=settings or {},
            secret=secret,
            organisation=ORGANISATION,
            run=RUN,
            timeout=5.0,
        )

    return make
