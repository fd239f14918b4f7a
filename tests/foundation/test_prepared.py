"""Statements that go past psycopg's cursor keep to Django's transactions, errors and counting."""

from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.db.utils import InterfaceError
from django.test.utils import CaptureQueriesContext

from foundation.ids import uuid7
from foundation.prepared import asked
from foundation.tenancy.context import current_organisation, enter
from tests.workers import superuser

pytestmark = pytest.mark.usefixtures("database")

ECHO = "SELECT $1::text, $2::int + 1, NULL, current_setting('remit.organisation', true)"


def test_columns_come_as_text_and_null_as_none() -> None:
    assert asked(ECHO, ["Zoë's", 41])[:3] == ("Zoë's", "42", None)


def test_it_is_within_the_open_transaction() -> None:
    organisation = uuid7()
    with transaction.atomic():
        enter(organisation)
        assert asked(ECHO, ["x", 1])[3] == str(organisation)
        assert current_organisation() == organisation


def test_what_was_prepared_outlasts_a_rollback() -> None:
    statement = "SELECT $1::text AS kept"
    with transaction.atomic():
        enter(uuid7())
        assert asked(statement, ["first"]) == ("first",)
        transaction.set_rollback(True)
    with transaction.atomic():
        enter(uuid7())
        assert asked(statement, ["second"]) == ("second",)
        assert asked(ECHO, ["x", 1])[3]


def test_errors_are_those_of_django_and_break_the_transaction() -> None:
    with transaction.atomic():
        enter(uuid7())
        with pytest.raises(DataError, match="invalid input syntax"), transaction.atomic():
            asked(ECHO, ["x", "no number"])
        assert asked(ECHO, ["x", 1])[1] == "2"
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            asked(ECHO, ["x", 1])


def test_statements_that_are_counted_count() -> None:
    with CaptureQueriesContext(connection) as counted:
        asked(ECHO, ["x", 1])
    assert [one["sql"] for one in counted] == [ECHO]


def test_a_session_that_the_server_ended_is_an_error_once(database: Any) -> None:
    (pid,) = asked("SELECT pg_backend_pid()", [])
    with superuser() as owner:
        owner.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises((OperationalError, InterfaceError)):
        asked(ECHO, ["x", 1])
    connection.close_if_unusable_or_obsolete()
    assert asked(ECHO, ["x", 1])[1] == "2"
