"""The columns that hold sealed values: each app registers its own, so that a rotation of the key finds them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of tokens: `model` as `app.Model`, and the context of a row's token."""

    model: str
    field: str
    context: Callable[[Any], str]


columns: list[SealedColumn] = []


def register_column(model: str, field: str, context: Callable[[Any], str]) -> None:
    """Make a column known to the rotation; call it in the app's `ready()`."""
    column = SealedColumn(model, field, context)
    if all((known.model, known.field) != (model, field) for known in columns):
        columns.append(column)
