"""Many writes, one statement: a round trip costs more than the rows that go with it.

What a transaction has to know it asks for at once; what it only has to write is gathered as plain values, each table's
rows under a name, and sent as JSON, a parameter for each name, to one statement whose parts insert and update from it.
"""

import re
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

    `is_raw`: the cursor takes `$1` for a parameter, and bytes: it sends a long statement as it is, where others look
    through it for placeholders each time.
    """

    def __init__(self, cursor: Cursor, *, is_raw: bool = False) -> None:
        self.cursor, self._is_raw = cursor, is_raw
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

        `sql` is a statement that reads them from `json_to_recordset(:name) AS x(…)`. What is added under a name again
        comes to the rows that are there.
        """
        found = list(rows)
        if found:
            self._parts[name] = sql
            self._rows.setdefault(name, []).extend(found)

    def answer(self, name: str, expression: str) -> None:
        """An expression over the parts and their rows (`:name`), whose value `flush` gives under the name.

        They are worked out in the order in which they were added, each with the parts that it speaks of; the other
        parts follow.
        """
        self._answers[name] = expression

    def flush(self) -> dict[str, Any]:
        """Write all that was gathered; the answers by name. Raises an error of the database."""
        if not self._parts and not self._answers:
            return {}
        rows = {name: orjson.dumps(some) for name, some in self._rows.items()}
        parts, answers = tuple(self._parts.items()), tuple(self._answers.values())
        statement = _statement(parts, answers, is_raw=self._is_raw)
        if self._is_raw:
            self.cursor.execute(statement, [rows[name] for name in self._parts])
        else:
            self.cursor.execute(statement, {name: text.decode() for name, text in rows.items()})
        found = dict(zip(self._answers, self.cursor.fetchone(), strict=False))
        self._parts, self._rows, self._answers = {}, {}, {}
        return found


def few(name: str, columns: str) -> str:
    """The rows of a part, for a join by which each finds one row of a table by its key: what follows FROM, without AS.

    The planner takes such rows for a hundred, and so would rather read a whole table that it believes to be small; and
    keeps to that. A tenth of a tenth of them is one: a limit that it cannot see through is taken for a tenth.
    """
    inner = f"(SELECT * FROM json_to_recordset(:{name}) AS one({columns}) {_NO_LIMIT})"  # noqa: S608 - names of ours
    return f"(SELECT * FROM {inner} AS two {_NO_LIMIT})"  # noqa: S608 - names of ours


_NO_LIMIT = "LIMIT (SELECT 4611686018427387904)"


@lru_cache(maxsize=256)
def _statement(parts: tuple[tuple[str, str], ...], answers: tuple[str, ...], *, is_raw: bool) -> str:
    written = ",\n".join(f"{name} AS ({sql})" for name, sql in parts)
    places = {name: place for place, (name, _) in enumerate(parts, 1)}
    text = f"{f'WITH {written} ' if parts else ''}SELECT {', '.join(answers) or '1'}"

    def mark(found: re.Match[str]) -> str:
        return f"${places[found[1]]}::json" if is_raw else f"%({found[1]})s::json"

    return _ROWS.sub(mark, text)


_ROWS = re.compile(r"(?<!:):([a-z]+)\b")
