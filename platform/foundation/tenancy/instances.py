"""Instances of rows that are read whole: lists make fifty of them for each page, workers one for each run."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

from django.db import models
from django.db.models.base import ModelState
from django.db.models.query import ModelIterable, QuerySet

_Row = TypeVar("_Row", bound=models.Model)
_ALL: tuple[frozenset[str], bool] = (frozenset(), True)  # no column is deferred


def instance_of(model: type[_Row], database: str | None, values: Iterable[object]) -> _Row:
    """An instance of a row, of which all columns are there in the model's order.

    As Model.from_db, which asks each field what it would like to do with its value: that costs more than to read it.
    """
    made, state = model.__new__(model), ModelState()
    # Of its own: what a row is related to is kept in it.
    state.db, state.adding = database, False
    made.__dict__.update(zip(columns_of(model), values, strict=True), _state=state)
    return made


def instances(rows: QuerySet[_Row]) -> list[_Row]:
    """The rows of a query, as `list` would make them, in less time where they are read whole and by themselves."""
    query, known = rows.query, vars(rows)  # Django tells of a query set's own by private names only
    is_whole = known["_iterable_class"] is ModelIterable and query.default_cols and query.deferred_loading == _ALL
    has_more = query.select_related or query.annotations or query.extra_select or known["_prefetch_related_lookups"]
    if not is_whole or has_more or known["_known_related_objects"]:
        return list(rows)
    return [instance_of(rows.model, rows.db, row) for row in query.get_compiler(rows.db).results_iter()]


@lru_cache(maxsize=512)
def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The names of a model's columns, in its order."""
    return tuple(one.attname for one in model._meta.concrete_fields)
