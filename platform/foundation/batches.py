"""Many writes, one statement: a round trip costs more than the rows that go with it.

What a transaction has to know it asks for at once; what it only has to write is gathered as plain values, each table's
rows under a name, and sent as one JSON document to one statement whose parts insert and update from it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson


class Cursor(Protocol):
    """A cursor of Django or psycopg."""

    def execute(self, sql: Any, params: Any = None) -> Any:
        """Run one statement."""

    def fetchone(self) -> Any:
        """One row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows."""


class Batch:
    """The writes of one transaction. It asks like a cursor; `add` waits for `flush`."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._parts: dict[str, str] = {}
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._answers: dict[str, str] = {}

    def execute(self, sql: Any, params: Any = None) -> Any:
        """Run one statement at once."""
        return self.cursor.execute(sql, params)

    def fetchone(self) -> Any:
        """One row of the last statement that was run at once."""
        return self.cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """All rows of the last statement that was run at once."""
        return self.cursor.fetchall()

    def add(self, name: str, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Gather rows for a part.

        `sql` is a statement that reads them from `given, json_to_recordset(rows->'<name>') AS x(…)`. What is added
        under a name again comes to the rows that are there.
        """
        found = list(rows)
        if found:
            self._parts[name] = sql
            self._rows.setdefault(name, []).extend(found)

    def answer(self, name: str, expression: str) -> None:
        """An expression over `given` and the parts, whose value `flush` gives under the name."""
        self._answers[name] = expression

    def flush(self) -> dict[str, Any]:
        """Write all that was gathered; the answers by name. Raises an error of the database."""
        if not self._parts and not self._answers:
            return {}
        parts = "".join(f",\n{name} AS ({sql})" for name, sql in self._parts.items())
        wanted = ", ".join(self._answers.values()) or "1"
        statement = f"WITH given AS MATERIALIZED (SELECT %s::json AS rows){parts}\nSELECT {wanted} FROM given"  # noqa: S608 - parts of ours
        self.cursor.execute(statement, (orjson.dumps(self._rows).decode(),))
        row = self.cursor.fetchone()
        answers = dict(zip(self._answers, row, strict=False))
        self._parts, self._rows, self._answers = {}, {}, {}
        return answers
