"""Opening a tenant: one transaction that sees one organisation's rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from django.db import connections, transaction

SETTING = "remit.organisation"

_Part = TypeVar("_Part")


@contextmanager
def tenant(organisation: UUID, using: str = "default") -> Iterator[None]:
    """One transaction in which the serving role sees and writes the rows of `organisation` only.

    Inside an open transaction it becomes a savepoint, and the former organisation is put back at its end.
    """
    with transaction.atomic(using=using):
        former = current_organisation(using)
        enter(organisation, using)
        yield
        # After an error the rollback restores the setting by itself.
        enter(former, using)


def read_in_parts(organisation: UUID, parts: Iterator[_Part]) -> Iterator[_Part]:
    """What `parts` yields, each read in a transaction of its own: none stays open while somebody takes in the last."""
    while True:
        with tenant(organisation):
            part = next(parts, None)
        if part is None:
            return
        yield part


def enter(organisation: UUID | None, using: str = "default") -> None:
    """Set the organisation for the rest of the transaction (a transaction must be open)."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, str(organisation) if organisation else ""])


def current_organisation(using: str = "default") -> UUID | None:
    """The organisation that this transaction sees, or None."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT nullif(current_setting(%s, true), '')::uuid", [SETTING])
        row = cursor.fetchone()
    return row[0] if row else None
