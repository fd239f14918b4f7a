"""An organisation to write about, and an intruder with the owner's rights."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from django.db import connections, transaction

from foundation.actors import Actor, ActorKind
from foundation.audit.record import entry, record
from foundation.audit.sealing import seal
from foundation.ids import uuid7
from foundation.tenancy.context import tenant

TABLES = ("auditentry", "auditbody", "auditleaf", "logtile", "checkpoint")


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

    return write


@pytest.fixture
def seal_all(database) -> Callable[[], None]:
    def seal_all() -> None:
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
