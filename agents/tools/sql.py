"""SQL connector: named, parameterised, read-only queries of a Postgres database.

Settings: {"queries": {name: {"description", "sql", "schema", "integrity", "confidentiality"}}, "row_limit": 100}.
`sql` is one statement with `%(name)s` for each property of `schema` (a JSON Schema of an object); an optional
argument that is absent is NULL. The secret is a connection string with host, user and password.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from agents.labels import Confidentiality, Integrity, Label
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRefusedError, ToolRequest

ROW_LIMIT = 100
CONNECT_TIMEOUT = 5  # seconds

# Only these parts of a connection string are taken over: the others name files, services or options of this machine.
_TAKEN = ("host", "port", "dbname", "user", "password", "sslmode")
_NEEDED = ("host", "dbname", "user", "password")


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
        rows = _fetch(_connection_values(request.secret), query["sql"], arguments, limit + 1, request.timeout)
        content = {
            "rows": [{name: _plain(value) for name, value in row.items()} for row in rows[:limit]],
            "truncated": len(rows) > limit,
        }
        return ToolOutput(content, _label(request.operation, query))


def _label(operation: str, query: Mapping[str, Any]) -> Label:
    return Label(
        Integrity(query.get("integrity", Integrity.UNTRUSTED)),
        Confidentiality(query.get("confidentiality", Confidentiality.CONFIDENTIAL)),
        frozenset({f"query:{operation}"}),
    )


def _connection_values(secret: str | None) -> dict[str, str]:
    """The parts of the connection string that may be used; nothing is completed from this machine's environment."""
    try:
        given = conninfo_to_dict(secret or "")
    except psycopg.ProgrammingError:
        # Not chained: the message of the parser quotes the string.
        raise ToolRefusedError("The credential is no connection string: set it anew on the connector.") from None
    values = {name: str(given[name]) for name in _TAKEN if given.get(name)}
    missing = [name for name in _NEEDED if name not in values]
    if missing:
        raise ToolRefusedError(f"The credential lacks {', '.join(missing)}: set it anew on the connector.")
    if values["host"].startswith(("/", "@")):
        raise ToolRefusedError("The credential names a socket of this machine: give a host name or address.")
    return values


def _fetch(
    values: Mapping[str, str], statement: str, arguments: Mapping[str, Any], limit: int, timeout: float
) -> list[dict[str, Any]]:
    milliseconds = str(max(1, math.floor(timeout * 1000)))
    try:
        with psycopg.connect(
            **cast("dict[str, Any]", values), connect_timeout=CONNECT_TIMEOUT, application_name="remit-sql-connector"
        ) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            # Prepared, because a prepared statement is exactly one: a second one after a semicolon is an error.
            cursor.execute(sql.SQL(cast("Any", statement)), arguments, prepare=True)
            rows = cursor.fetchmany(limit)
            connection.rollback()
            return rows
    except psycopg.errors.QueryCanceled:
        raise ToolRefusedError("The query took too long and was stopped: ask for less.") from None
    except psycopg.errors.DataError:
        raise ToolRefusedError("The database could not read an argument: check its form.") from None
    except psycopg.OperationalError:
        # Not chained: messages of the driver may hold parts of the connection string.
        raise ToolRefusedError("The database cannot be reached: try again later.") from None
    except psycopg.Error as error:
        raise ToolRefusedError(f"The database refused the query (SQLSTATE {error.sqlstate or 'unknown'}).") from None


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
