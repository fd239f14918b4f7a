"""Finding one's way in what tools answered, however deep an engine has wrapped it."""

import json
from collections.abc import Callable, Mapping
from typing import Any


def first(value: Any, fits: Callable[[Any], bool]) -> Any:
    """The first part of a value that fits, or None; a text that holds JSON is looked into."""
    if fits(value):
        return value
    parts: list[Any] = []
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list):
        parts = value
    elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        parts = _parsed(value)
    return next((found for part in parts if (found := first(part, fits)) is not None), None)


def rows(output: Any) -> list[Mapping[str, Any]]:
    """The rows that a query gave."""
    found = first(output, lambda value: isinstance(value, Mapping) and isinstance(value.get("rows"), list))
    return [row for row in found["rows"] if isinstance(row, Mapping)] if found else []


def mail(output: Any) -> Mapping[str, Any] | None:
    """The mail that somebody wrote."""
    found: Mapping[str, Any] | None = first(
        output, lambda value: isinstance(value, Mapping) and bool(value.get("subject")) and bool(value.get("body"))
    )
    return found


def evidence(output: Any) -> str:
    """What the evidence checker said, from the word *Evidence* on; empty if it did not speak."""
    text = str(first(output, lambda value: isinstance(value, str) and "evidence:" in value.casefold()) or "")
    return text[text.casefold().find("evidence:") :] if text else ""


def _parsed(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError:
        return []
