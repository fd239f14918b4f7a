"""The columns that hold sealed values: each app registers its own, so that a rotation of the key finds them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of tokens: `model` as `app.Model`, and the context of a row's token.

    With `key`, the column is a JSON object that holds the token under this name.
    """

    model: str
    field: str
    context: Callable[[Any], str]
    key: str = ""


columns: list[SealedColumn] = []


def register_column(model: str, field: str, context: Callable[[Any], str], key: str = "") -> None:
    """Make a column known to the rotation; call it in the app's `ready()`."""
    column = SealedColumn(model, field, context, key)
    if all((known.model, known.field, known.key) != (model, field, key) for known in columns):
        columns.append(column)
