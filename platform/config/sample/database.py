"""Installs the shop's database: two schemas, their rows, and the two login roles that the connectors use."""

import secrets
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

READER = "remit_sample_reader"
PAYMENTS = "remit_sample_payments"
DATABASE = "remit"

_HERE = Path(__file__).parent
_LOCK = 0x5A3B1E  # two installations of the same database wait for each other
_LONGEST_NAME = 63  # bytes, as Postgres cuts longer ones


def install(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Make or repair the shop, and give a connection string for each role: {"orders": …, "payments": …}.

    `connection` belongs to the database's owner, who may make roles; its transaction is committed. Rows that exist are
    kept, passwords are made anew each time and stand nowhere but in the answer.
    """
    reader, payments = (_role(name, connection.info.dbname) for name in (READER, PAYMENTS))
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for file in ("schema.sql", "data.sql"):
            connection.execute(_statements(file))
        addresses = {"orders": _renew(connection, reader), "payments": _renew(connection, payments)}
        rights = _statements("rights.sql").format(reader=sql.Identifier(reader), payments=sql.Identifier(payments))
        connection.execute(rights)
    connection.commit()
    return addresses


def is_installed(connection: psycopg.Connection[Any]) -> bool:
    """Whether this database holds the shop."""
    row = connection.execute("SELECT to_regclass('sample_ledger.refunds') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _role(name: str, database: str) -> str:
    # Roles belong to all databases of a cluster: with one name, a second installation would lock the first one out.
    return name if database == DATABASE else f"{name}_{database}"[:_LONGEST_NAME]


def _statements(file: str) -> sql.SQL:
    return sql.SQL(cast("Any", (_HERE / file).read_text(encoding="utf-8")))


def _renew(connection: psycopg.Connection[Any], role: str) -> str:
    """Give the role, made if need be, a new password and the right to connect; return its connection string."""
    name, where = sql.Identifier(role), connection.info
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    password = secrets.token_urlsafe(24)
    # Only the verifier is sent, so that no log of statements can hold the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT 40 PASSWORD {}").format(name, sql.Literal(verifier))
    )
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(where.dbname), name))
    return make_conninfo("", host=where.host, port=where.port, dbname=where.dbname, user=role, password=password)
