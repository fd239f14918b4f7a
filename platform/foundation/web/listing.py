"""Lists: pages by key, and the same rows as CSV or JSON lines."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from foundation.access.pages import first_rows
from foundation.errors import InvalidError

PAGE = 50
MOST_EXPORTED = 10_000
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}

Columns = Mapping[str, Callable[[Any], Any]]


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


def exported(request: HttpRequest, rows: QuerySet[Any], columns: Columns, name: str) -> HttpResponse | None:
    """The rows of this view as a file, if `?format=` asks for one: all pages, at most 10,000 rows."""
    wanted = request.GET.get("format", "")
    if wanted not in FORMATS:
        return None
    values = [{title: read(row) for title, read in columns.items()} for row in rows.order_by("-id")[:MOST_EXPORTED]]
    body = _csv(values, list(columns)) if wanted == "csv" else _json_lines(values)
    disposition = f'attachment; filename="{name}.{wanted}"'
    return HttpResponse(body, content_type=FORMATS[wanted], headers={"Content-Disposition": disposition})


def _csv(values: Sequence[Mapping[str, Any]], titles: Sequence[str]) -> str:
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(titles)
    writer.writerows([[defused(row[title]) for title in titles] for row in values])
    return sheet.getvalue()


def _json_lines(values: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, default=str, ensure_ascii=False) + "\n" for row in values)


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
