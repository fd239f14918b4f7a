"""Instances of rows that are read whole: lists make fifty of them for each page, workers one for each run."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

from django.db import models
from django.db.models.base import ModelState

_Row = TypeVar("_Row", bound=models.Model)


def instance_of(model: type[_Row], database: str | None, values: Iterable[object]) -> _Row:
    """An instance of a row, of which all columns are there in the model's order.

    As Model.from_db, which asks each field what it would like to do with its value: that costs more than to read it.
    """
    made, state = model.__new__(model), ModelState()
    # Of its own: what a row is related to is kept in it.
    state.db, state.adding = database, False
    made.__dict__.update(zip(columns_of(model), values, strict=True), _state=state)
    return made


@lru_cache(maxsize=512)
def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The names of a model's columns, in its order."""
    return tuple(one.attname for one in model._meta.concrete_fields)
