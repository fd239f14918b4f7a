"""PostgreSQL 18.6 crashes where it prunes partitions in a statement that waits for locks: no connection of ours does.

That the server lives is shown by the storms (`tests/storms.py`, `check_the_server`).
"""

import pytest
from django.db import connections

from agents.runs.database import engine_connection

SHOW = "SHOW enable_partition_pruning"


@pytest.mark.parametrize("alias", ["default", "engine", "system"])
@pytest.mark.django_db(databases=["default", "engine", "system"])
def test_no_connection_of_django_prunes(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(SHOW)
        assert cursor.fetchone() == ("off",)


@pytest.mark.django_db(databases=["engine"])
def test_nor_do_those_on_which_groups_are_written() -> None:
    with engine_connection() as ours:
        assert ours.execute(SHOW).fetchone() == ("off",)
        assert ours.execute("SHOW idle_in_transaction_session_timeout").fetchone() != ("0",)
