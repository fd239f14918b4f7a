"""SQL connector: named, parameterised, read-only queries of a Postgres database.

Settings: {"queries": {name: {"description", "sql", "schema", "integrity", "confidentiality"}}, "row_limit": 100}.
`sql` is one statement with `%(name)s` for each property of `schema` (a JSON Schema of an object); an optional
argument that is absent is NULL. The rows of an answer have 4 MiB together at most. The secret is a
connection string with host, user and password.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import date, time
from itertools import islice
from typing import Any, cast

import psycopg
from django.conf import settings
from psycopg import sql
from psycopg.pq.abc import PGresult
from psycopg.rows import dict_row

from agents.labels import Confidentiality, Integrity, Label
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRefusedError, ToolRequest
from agents.tools.postgres import connect
from foundation.outbound.addresses import Allowance
from foundation.outbound.deadlines import HangingUp

ROW_LIMIT = 100
LARGEST_ANSWER = 4 * 1024 * 1024  # bytes of all rows together: libpq by itself keeps a row of a gigabyte in memory
TOO_LARGE = f"The answer is larger than {LARGEST_ANSWER // 1024**2} MiB: ask for fewer rows, or shorter columns."
_BESIDE = 1024 * 1024  # bytes that come along: names of columns, rows that were sent ahead, what TLS adds
GRACE = 2.0  # seconds beyond the time limit, in which the server itself may say that it has stopped a query


class SqlConnector:
    """Each named query is one read operation."""

    def definitions(self, settings: Mapping[str, Any]) -> Sequence[ToolDefinition]:
        """One definition for each query, in the order of their names."""
        return [
            ToolDefinition(name=name, description=query["description"], schema=query["schema"], effect=ToolEffect.READ)
            for name, query in sorted(settings.get("queries", {}).items())
        ]

    def call(self, request: ToolRequest) -> ToolOutput:
        """{"rows": [{column: value}], "truncated": whether there were more rows than the limit}."""
        query = request.settings.get("queries", {}).get(request.operation)
        if query is None:
            raise ToolRefusedError(f"There is no query {request.operation!r}: use one that the connector lists.")
        limit = int(request.settings.get("row_limit", ROW_LIMIT))
        names = query["schema"].get("properties", {})
        arguments = {name: request.arguments.get(name) for name in names}
        connection = self.connect(request.secret)
        rows = _fetch(connection, query["sql"], arguments, limit=limit + 1, timeout=request.timeout)
        content = {
            "rows": [{name: _plain(value) for name, value in row.items()} for row in rows[:limit]],
            "truncated": len(rows) > limit,
        }
        return ToolOutput(content, _label(request.operation, query))

    def connect(self, secret: str | None) -> psycopg.Connection[Any]:
        """To a public address, or to one that the operator allowed. Raises ToolRefusedError."""
        return connect(secret, allowance=Allowance.of(settings.REMIT_OUTBOUND_ALLOW), purpose="SQL connector")


def _label(operation: str, query: Mapping[str, Any]) -> Label:
    return Label(
        Integrity(query.get("integrity", Integrity.UNTRUSTED)),
        Confidentiality(query.get("confidentiality", Confidentiality.CONFIDENTIAL)),
        frozenset({f"query:{operation}"}),
    )


def _fetch(
    connection: psycopg.Connection[Any], statement: str, arguments: Mapping[str, Any], *, limit: int, timeout: float
) -> list[dict[str, Any]]:
    milliseconds = str(max(1, math.floor(timeout * 1000)))
    watch = HangingUp(connection.fileno(), timeout + GRACE, LARGEST_ANSWER + _BESIDE)
    try:
        with connection, watch:
            cursor = connection.cursor(row_factory=dict_row)
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            # One by one, in the protocol that takes exactly one statement: a second one after a semicolon is an error.
            found = cursor.stream(sql.SQL(cast("Any", statement)), arguments)
            with closing(cast("Generator[dict[str, Any], None, None]", found)):
                rows, size = [], 0
                for row in islice(found, limit):
                    rows.append(row)
                    size += _size(cursor.pgresult)
                    if size > LARGEST_ANSWER:
                        raise ToolRefusedError(TOO_LARGE)
                watch.count_anew()  # rows behind the limit are let go one by one
            with suppress(psycopg.OperationalError):
                connection.rollback()
            return rows
    except psycopg.Error as error:
        # Not chained: messages of the database may hold values of other rows.
        raise ToolRefusedError(TOO_LARGE if watch.too_much else _said(error)) from None


def _size(row: PGresult | None) -> int:
    """The bytes of the row that was streamed last, as they came."""
    if row is None:
        return 0
    return sum(len(row.get_value(0, column) or b"") for column in range(row.nfields))


def _said(error: psycopg.Error) -> str:
    match error:
        case psycopg.errors.QueryCanceled():
            return "The query took too long and was stopped: ask for less."
        case psycopg.errors.DataError():
            return "The database could not read an argument: check its form."
        case psycopg.OperationalError():
            return "The connection to the database broke: try again later."
        case _:
            return f"The database refused the query (SQLSTATE {error.sqlstate or 'unknown'})."


def _plain(value: Any) -> Any:
    """A JSON value; what JSON lacks becomes text, and a number that is none becomes null."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return (
        value.isoformat() if isinstance(value, date | time) else repr(value) if isinstance(value, bytes) else str(value)
    )
