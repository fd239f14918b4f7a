"""Installing the shop: repeatable, and its roles can do no more than they need."""

import os

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from config.launch.initialise import create_database_statements
from config.sample.database import install, is_installed


def test_a_second_installation_keeps_the_rows_and_changes_the_passwords(owner, owner_url, shop):
    owner.execute(
        "INSERT INTO sample_ledger.refunds (idempotency_key, order_number, amount_cents, currency, reason)"
        " VALUES ('k', 'NW-10021', 100, 'EUR', 'r')"
    )
    with psycopg.connect(owner_url) as connection:
        renewed = install(connection)
        assert is_installed(connection)
    assert renewed["orders"] != shop["orders"]
    assert owner.execute("SELECT count(*) FROM sample_ledger.refunds WHERE idempotency_key = 'k'").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(shop["orders"])
    shop.update(renewed)


@pytest.fixture
def second_owner_url(owner_url):
    """Another database of the same cluster, with the same owner."""
    name = f"{owner_url.rpartition('/')[2]}_second_shop"
    with psycopg.connect(os.environ["REMIT_TEST_SUPERUSER"], autocommit=True) as superuser:
        for statement in create_database_statements(name, None):
            superuser.execute(statement.encode())
        yield f"{owner_url.rpartition('/')[0]}/{name}"
        superuser.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_another_database_of_the_cluster_has_its_own_roles(second_owner_url, shop):
    with psycopg.connect(second_owner_url) as connection:
        assert not is_installed(connection)
        second = install(connection)
    for address in (second["orders"], shop["orders"]):
        with psycopg.connect(address) as reader:
            assert reader.execute("SELECT count(*) FROM sample_orders.orders").fetchone() == (15,)


def test_the_thirty_days_hang_on_the_moment_of_installation(owner):
    row = owner.execute(
        "SELECT days_since_delivery FROM sample_orders.order_overview WHERE order_number = 'NW-10063'"
    ).fetchone()
    assert row == (74,)


@pytest.mark.parametrize("table", ["sample_ledger.refunds", "sample_ledger.payouts", "sample_ledger.accounts"])
def test_the_reader_sees_nothing_of_the_ledger(shop, table):
    with psycopg.connect(shop["orders"]) as reader, pytest.raises(InsufficientPrivilege):
        reader.execute(f"SELECT * FROM {table}")


def test_the_reader_writes_nothing_even_when_it_asks_for_a_writing_transaction(shop):
    with psycopg.connect(shop["orders"], autocommit=True) as reader:
        with pytest.raises(ReadOnlySqlTransaction):
            reader.execute("DELETE FROM sample_orders.parcels")
        reader.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            reader.execute("DELETE FROM sample_orders.parcels")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sample_ledger.refunds SET amount_cents = 1",
        "DELETE FROM sample_ledger.refunds",
        "TRUNCATE sample_ledger.payouts",
        "INSERT INTO sample_orders.customers VALUES ('C-1', 'x', 'x@y.example')",
        "UPDATE sample_orders.order_lines SET unit_cents = 1000000",
        "CREATE TABLE sample_ledger.mine (a int)",
    ],
)
def test_payments_only_appends_to_the_ledger(shop, statement):
    with psycopg.connect(shop["payments"]) as payments, pytest.raises(InsufficientPrivilege):
        payments.execute(statement)
