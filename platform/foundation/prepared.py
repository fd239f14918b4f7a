"""Statements that are sent as they are and prepared once for each connection, where psycopg costs more than the server.

What every request asks is asked so, and what every group of commits writes.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections
from psycopg import Connection, Error, OperationalError
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult


class Sender:
    """A cursor that sends a statement as it is, with `$1` for parameters, prepared once for each connection.

    libpq is asked itself: nothing is looked for in the statement, parameters are bytes, and values come back as text.
    """

    def __init__(self, connection: Connection[tuple[object, ...]]) -> None:
        self._server = connection.pgconn
        self._names = _prepared.setdefault(connection, {})
        self._rows: list[tuple[str | None, ...]] = []

    def execute(self, sql: str, params: Sequence[bytes] = ()) -> None:
        """Run one statement. Raises an error of the database."""
        try:
            self._run(sql, params)
        except InvalidSqlStatementName:
            # psycopg lets go of all prepared statements when it rolls back. Nothing was run.
            self._names.clear()
            self._run(sql, params)

    def fetchone(self) -> tuple[str | None, ...] | None:
        """One row, or None."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """All rows."""
        rows, self._rows = self._rows, []
        return rows

    def _run(self, sql: str, params: Sequence[bytes]) -> None:
        name = self._names.get(sql)
        if name is None:
            name = b"remit_%d" % next(_numbers)
            made = self._server.prepare(name, sql.encode())
            if made.status != ExecStatus.COMMAND_OK:
                raise self._error(made)
            self._names[sql] = name
        found = self._server.exec_prepared(name, list(params))
        if found.status != ExecStatus.TUPLES_OK:
            raise self._error(found)
        columns = range(found.nfields)
        values = ([found.get_value(row, column) for column in columns] for row in range(found.ntuples))
        self._rows = [tuple(None if one is None else one.decode() for one in row) for row in values]

    def _error(self, result: PGresult) -> Error:
        if self._server.status != ConnStatus.OK:
            # Nobody knows whether it was written.
            return OperationalError("The connection to the database was lost.")
        return error_from_result(result)


_prepared: WeakKeyDictionary[Connection[tuple[object, ...]], dict[str, bytes]] = WeakKeyDictionary()
_numbers = count()


def asked(statement: str, values: Sequence[object], using: str = "default") -> tuple[str | None, ...]:
    """The one row that a statement answers, each column as text, within whatever transaction is open.

    Of Django's connection, which hears of it where statements are counted. Raises Django's database errors.
    """
    connection = connections[using]
    connection.validate_no_broken_transaction()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": "0.000"})
    with connection.wrap_database_errors:
        sender = Sender(connection.connection)
        sender.execute(statement, [str(one).encode() for one in values])
    (row,) = sender.fetchall()
    found: tuple[str | None, ...] = row
    return found
