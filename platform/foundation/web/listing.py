"""Lists: pages by key, and the same rows as CSV or JSON lines.

A file is made while it is sent. Where that breaks off, so does the transfer.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from foundation.access.pages import first_rows
from foundation.errors import InvalidError
from foundation.tenancy.context import read_in_parts
from foundation.web.pages import actor_of

PAGE = 50
MOST_EXPORTED = 10_000
PART = 500  # rows that are read together
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}

Columns = Mapping[str, Callable[[Any], Any]]
Rows = Sequence[Mapping[str, Any]]


class Slice(NamedTuple):
    """One page of rows, and the addresses of its neighbours (empty where there is none)."""

    rows: Sequence[Any]
    older: str
    newer: str


def page_of(request: HttpRequest, rows: QuerySet[Any], size: int = PAGE) -> Slice:
    """The rows before `?before=<id>`, newest first: one query, without a count. Raises InvalidError."""
    before = request.GET.get("before", "")
    if before:
        rows = rows.filter(id__lt=identifier_of(before))
    found = first_rows(rows, size + 1)
    older = _with(request, before=str(found[size - 1].id)) if len(found) > size else ""
    return Slice(found[:size], older, _with(request) if before else "")


def identifier_of(text: str) -> UUID:
    """An id from an address. Raises InvalidError."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{text[:40]!r} is no id: copy it whole from the page that shows it.") from None


def exported(request: HttpRequest, rows: QuerySet[Any], columns: Columns, name: str) -> StreamingHttpResponse | None:
    """The rows of this view as a file, if `?format=` asks for one: all pages, at most 10,000 rows."""
    wanted, organisation = request.GET.get("format", ""), actor_of(request).organisation
    if wanted not in FORMATS or organisation is None:
        return None
    parts = read_in_parts(organisation, _parts(rows, columns))
    pieces = _csv(parts, list(columns)) if wanted == "csv" else _json_lines(parts)
    disposition = f'attachment; filename="{name}.{wanted}"'
    return StreamingHttpResponse(pieces, content_type=FORMATS[wanted], headers={"Content-Disposition": disposition})


def _parts(rows: QuerySet[Any], columns: Columns) -> Iterator[Rows]:
    left, part = MOST_EXPORTED, rows
    while True:
        size = min(PART, left)
        found = first_rows(part, size + 1)
        left -= size
        values = [{title: read(row) for title, read in columns.items()} for row in found[:size]]
        yield values
        if len(found) <= size or not left:
            return
        part = rows.filter(id__lt=found[size - 1].id)


def _csv(parts: Iterator[Rows], titles: Sequence[str]) -> Iterator[str]:
    yield _lines([titles])
    for part in parts:
        yield _lines([[defused(row[title]) for title in titles] for row in part])


def _lines(cells: Sequence[Sequence[str]]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerows(cells)
    return sheet.getvalue()


def _json_lines(parts: Iterator[Rows]) -> Iterator[str]:
    for part in parts:
        yield "".join(json.dumps(row, default=str, ensure_ascii=False) + "\n" for row in part)


def defused(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with(request: HttpRequest, **changes: str) -> str:
    query = request.GET.copy()
    query.pop("before", None)
    query.pop("format", None)
    for key, value in changes.items():
        query[key] = value
    return f"{request.path}?{query.urlencode()}" if query else request.path
