"""An organisation to write about, and an intruder with the owner's rights."""

import os
import select
import time
from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from django.db import connections, transaction

from foundation.actors import Actor, ActorKind
from foundation.audit.record import entry, record
from foundation.audit.sealing import seal
from foundation.ids import uuid7
from foundation.tenancy.context import tenant

TABLES = ("auditentry", "auditbody", "auditleaf", "logtile", "checkpoint")


def _nobody_elsewhere_writes() -> None:
    """Until no transaction in another database of this cluster is older than now.

    Transaction ids belong to the cluster, and the sealer waits for all older ones: also for those of the other workers
    of this suite, which have nothing to do with what a test here wrote.
    """
    with psycopg.connect(os.environ["REMIT_TEST_SUPERUSER"], autocommit=True) as connection:
        now = connection.execute("SELECT pg_current_xact_id()::text::bigint % 4294967296").fetchone()[0]
        older = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname <> %s AND pid <> pg_backend_pid() "
            "AND backend_xid::text::bigint < %s"
        )
        deadline = time.monotonic() + 60
        name = connections["system"].settings_dict["NAME"]
        while connection.execute(older, [name, now]).fetchone()[0]:
            assert time.monotonic() < deadline, "another worker's transaction does not end"
            select.select([], [], [], 0.02)


@pytest.fixture
def organisation(database) -> UUID:
    """The record needs no row of an organisation, only its id."""
    return uuid7()


@pytest.fixture
def person(organisation) -> Actor:
    return Actor(
        kind=ActorKind.PERSON, name="Ada", principal=uuid7(), organisation=organisation, request="r-1", address="::1"
    )


@pytest.fixture
def write(person) -> Callable[..., None]:
    """Record `count` entries in one transaction of the serving role."""

    def write(count: int = 1, action: str = "thing.do", **more: object) -> None:
        with tenant(person.organisation):
            record(*(entry(person, action, details={"n": number}, **more) for number in range(count)))
        _nobody_elsewhere_writes()

    return write


@pytest.fixture
def seal_all(database) -> Callable[[], None]:
    def seal_all() -> None:
        _nobody_elsewhere_writes()
        while seal():
            pass

    return seal_all


@pytest.fixture
def tamper(organisation) -> Iterator[Callable[..., None]]:
    """Run SQL as an owner who takes triggers and row-level security away; the organisation's rows go afterwards."""

    def run(*statements: str) -> None:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE audit_{table} DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY")
            for statement in statements:
                cursor.execute(statement.replace("ORG", f"'{organisation}'"))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in TABLES:
                cursor.execute(f"ALTER TABLE audit_{table} ENABLE TRIGGER USER, FORCE ROW LEVEL SECURITY")

    yield run
    run(
        *(f"DELETE FROM audit_{table} WHERE organisation_id = ORG" for table in ("auditentry", "auditbody")),
        *(f"DELETE FROM audit_{table} WHERE log = ORG" for table in ("auditleaf", "logtile", "checkpoint")),
    )
