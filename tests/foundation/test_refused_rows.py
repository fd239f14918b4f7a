"""What PostgreSQL itself refuses is told in words of ours, without a word of what it says."""

import pytest
from django.db import DataError, IntegrityError, connections, transaction
from django.db.models import ProtectedError

from foundation.organisations.models import Organisation
from foundation.refused_rows import told
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]  # a fixture

TABLE = "CREATE TEMP TABLE secret_name (id smallint PRIMARY KEY CHECK (id < 9), above int REFERENCES secret_name (id))"


def refused(*statements: str) -> IntegrityError | DataError:
    """What comes of the last of these statements."""
    with connections["owner"].cursor() as cursor, transaction.atomic(using="owner"):
        for statement in (TABLE, *statements[:-1]):
            cursor.execute(statement)
        with pytest.raises((IntegrityError, DataError)) as caught:
            cursor.execute(statements[-1])
        transaction.set_rollback(True, using="owner")
    return caught.value


CASES = {
    "one like it": (
        ["INSERT INTO secret_name VALUES (1)", "INSERT INTO secret_name VALUES (1)"],
        409, "There is one like it already: choose another name, or change the one that exists.",
    ),
    "points at nothing": (
        ["INSERT INTO secret_name VALUES (1, 7)"], 400, "It points at something that does not exist here.",
    ),
    "still pointed at": (
        ["INSERT INTO secret_name VALUES (1, NULL), (2, 1)", "DELETE FROM secret_name WHERE id = 1"],
        400, "It points at something that does not exist here.",
    ),
    "unforeseen": (["INSERT INTO secret_name VALUES (9)"], 400, "The database takes no value like one of these"),
    "too large": (["INSERT INTO secret_name VALUES (70000)"], 400, "Nothing was changed. Correct it, and send it"),
}  # fmt: skip


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("case", CASES)
def test_it_is_told_what_to_do(case: str, caplog: pytest.LogCaptureFixture) -> None:
    statements, status, words = CASES[case]
    error = refused(*statements)
    found, line = told(error)
    assert found == status
    assert words in line
    assert "secret_name" not in line
    assert str(error) not in line
    is_foreseen = case not in {"unforeseen", "too large"}
    assert len(caplog.records) == (not is_foreseen), "what nobody has foreseen is in the log"


def test_what_is_still_needed_is_told(world: World) -> None:
    with pytest.raises(ProtectedError) as caught, tenant(world.organisation.pk):
        Organisation.objects.get(pk=world.organisation.pk).delete()
    assert told(caught.value) == (409, "Something else still rests on it: take that away first.")
