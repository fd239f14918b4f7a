"""Rotating the sealing key: every column that holds sealed values is registered here by its app."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, models, transaction

from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.keys import add_key, drop_former_keys, key_id, load_or_make_keys
from foundation.secrets.columns import SealedColumn, columns
from foundation.secrets.sealing import KEY_FILE, KEY_VARIABLE, forget_keys, is_current, reseal

_BATCH = 500


def rotate_sealing_key(*, actor: Actor, new_key: bool = True) -> int:
    """Make a new key (unless one was put first by hand), seal every registered value under it, say how many.

    The former keys stay, so that running processes and backups still open their tokens.
    Raises KeyUnusableError when a key is to be made but the environment holds the keys.
    """
    if new_key:
        # Without a database to seal and record in, no key is made.
        connections["system"].ensure_connection()
        add_key(KEY_FILE, KEY_VARIABLE)
    forget_keys()
    resealed = sum(_reseal_column(column) for column in columns)
    _record(actor, "sealing_key.rotate", {"resealed": resealed})
    return resealed


def drop_former_sealing_keys(*, actor: Actor) -> int:
    """Forget all keys but the current one, after sealing what is not under it. Older backups no longer open.

    Call it when every process has started after the rotation: one that has not may still seal under a former key.
    """
    rotate_sealing_key(actor=actor, new_key=False)
    dropped = drop_former_keys(KEY_FILE, KEY_VARIABLE)
    forget_keys()
    _record(actor, "sealing_key.drop_former", {"dropped": dropped})
    return dropped


def seals_anything() -> bool:
    """Whether any value at all is sealed."""
    return any(True for column in columns for _ in _tokens(column))


def _record(actor: Actor, action: str, details: dict[str, Any]) -> None:
    name = key_id(load_or_make_keys(KEY_FILE, KEY_VARIABLE)[0])
    with transaction.atomic(using="system"):
        record(entry(actor, action, target_kind="sealing_key", target_name=name, details=details), using="system")


def _reseal_column(column: SealedColumn) -> int:
    done = 0
    for row, value, token in _tokens(column):
        if is_current(token):
            continue
        fresh = reseal(token, context=column.context(row))
        # Only where the token is still the same: a value changed meanwhile is under the new key already.
        same = type(row)._base_manager.using("system").filter(pk=row.pk, **{column.field: value})
        done += same.update(**{column.field: {**value, column.key: fresh} if column.key else fresh})
    return done


def _tokens(column: SealedColumn) -> Iterator[tuple[models.Model, Any, str]]:
    """Each row that holds a token: the row, what stands in the column, and the token."""
    model: type[models.Model] = apps.get_model(column.model)
    for row in _rows(model._base_manager.using("system").order_by("pk")):
        value = getattr(row, column.field)
        token = value.get(column.key, "") if column.key else value
        if token:
            yield row, value, token


def _rows(ordered: "models.QuerySet[Any]") -> Iterator[Any]:
    last: Any = None
    while batch := list((ordered if last is None else ordered.filter(pk__gt=last))[:_BATCH]):
        yield from batch
        last = batch[-1].pk
