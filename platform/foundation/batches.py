"""Many writes, one statement: a round trip costs more than the rows that go with it.

What a transaction has to know it asks for at once; what it only has to write is gathered as plain values, each table's
rows under a name, and sent as one JSON document to one statement whose parts insert and update from it.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
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
    """The writes of one transaction. It asks like a cursor; `add` waits for `flush`.

    `writer` is a cursor of the same transaction that takes `$1` for a parameter (psycopg's RawCursor): it sends a
    long statement as it is, where others look through it for placeholders each time.
    """

    def __init__(self, cursor: Cursor, writer: Cursor | None = None) -> None:
        self.cursor, self._writer = cursor, writer
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
        cursor, mark = (self.cursor, "%s") if self._writer is None else (self._writer, "$1")
        statement = _statement(mark, tuple(self._parts.items()), tuple(self._answers.values()))
        cursor.execute(statement, (orjson.dumps(self._rows).decode(),))
        answers = dict(zip(self._answers, cursor.fetchone(), strict=False))
        self._parts, self._rows, self._answers = {}, {}, {}
        return answers


@lru_cache(maxsize=256)
def _statement(mark: str, parts: tuple[tuple[str, str], ...], answers: tuple[str, ...]) -> str:
    written = "".join(f",\n{name} AS ({sql})" for name, sql in parts)
    wanted = ", ".join(answers) or "1"
    return f"WITH given AS MATERIALIZED (SELECT {mark}::json AS rows){written}\nSELECT {wanted} FROM given"  # noqa: S608 - parts of ours
