"""The questions of sign-in, which are asked before the organisation is known: each is one narrow database function."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from foundation.identity.models import PrincipalState, User
from foundation.ids import uuid7


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """A user in one organisation."""

    organisation: UUID
    slug: str
    name: str
    principal: UUID
    principal_name: str
    state: str
    single_sign_on: bool  # the person must come in through the organisation's identity provider
    federated: bool  # the organisation has an identity provider in use
    sessions_from: datetime | None  # web sessions from before it count there no longer
    own_ways: bool  # what the person signs in with itself opens it: the address is proved, or it has accepted to join

    @property
    def active(self) -> bool:
        """Whether the person may act there."""
        return self.state == PrincipalState.ACTIVE


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key with the principal that it stands for."""

    id: UUID
    organisation: UUID
    digest: str
    scopes: frozenset[str]
    expired: bool
    revoked: bool
    principal: UUID
    kind: str
    name: str
    state: str


def user_by_email(email: str) -> User | None:
    """The user with this address, in whatever case it is written."""
    return next(iter(User.objects.raw("SELECT * FROM remit_user_by_email(%s)", [email])), None)


def user_by_id(identifier: UUID) -> User | None:
    """The user of this id."""
    return next(iter(User.objects.raw("SELECT * FROM remit_user_by_id(%s)", [identifier])), None)


def memberships_of(user: UUID) -> list[MembershipRow]:
    """The organisations that a user belongs to, by name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM remit_seats_of_user(%s)", [user])
        return [MembershipRow(*row) for row in cursor.fetchall()]


def key_by_prefix(prefix: str) -> KeyRow | None:
    """The API key that a prefix finds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM remit_api_key(%s)", [prefix])
        row = cursor.fetchone()
    if row is None:
        return None
    identifier, organisation, digest, scopes, *rest = row
    # Through a plain cursor Django hands jsonb over as text.
    return KeyRow(identifier, organisation, digest, frozenset(json.loads(scopes)), *rest)


def use_sign_in_link(digest: str) -> UUID | None:
    """Use a link up: the user's id, or None if it is unknown, used, or too old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_use_sign_in_link(%s)", [digest])
        row = cursor.fetchone()
    return row[0] if row else None


def invite_user(email: str, name: str) -> UUID:
    """The id of the user with this address; a new one cannot sign in with a password until it sets one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_invite_user(%s, %s, %s)", [email, name, uuid7()])
        row = cursor.fetchone()
    found: UUID = row[0]
    return found


def see_as_user(user: UUID | None) -> None:
    """For the rest of the transaction, this user may see and change its own row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('remit.user', %s, true)", [str(user) if user else ""])


@contextmanager
def seeing_as(user: UUID) -> Iterator[None]:
    """A transaction (or a savepoint of one) in which this user sees and changes its own rows; afterwards as before."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT nullif(current_setting('remit.user', true), '')::uuid")
            former = cursor.fetchone()[0]
        see_as_user(user)
        yield
        # After an error the rollback restores the setting by itself.
        see_as_user(former)


def count_attempt(key: str, seconds: int) -> tuple[int, int]:
    """Count one attempt under a key: how many there were in the window of so many seconds, and its seconds left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT made, remaining FROM remit_count_attempt(%s, %s)", [key, seconds])
        made, remaining = cursor.fetchone()
    return int(made), int(remaining)


def forget_attempts(key: str) -> None:
    """Start anew, after a success."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_forget_attempts(%s)", [key])


def return_attempt(key: str) -> None:
    """One attempt was none: it succeeded."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_return_attempt(%s)", [key])
