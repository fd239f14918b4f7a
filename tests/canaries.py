"""Canaries: a word planted in every text of one organisation, so that whoever else ever reads it is found out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models
from psycopg import sql
from psycopg.types.json import Jsonb

from foundation.identity.models import User
from foundation.ids import uuid7
from foundation.organisations.models import Organisation
from tests.workers import superuser

_TEXTS = (models.CharField, models.TextField)
# Texts that no person writes and that must have a certain form, by table or anywhere.
_FORMED = {"password", "currency", "digest", "session_key"}
_MADE: tuple[tuple[type[Any], Callable[[], Any]], ...] = (
    (models.UUIDField, uuid7),
    (models.BooleanField, bool),
    (models.DateTimeField, lambda: datetime.now(UTC)),
    (models.DateField, lambda: date(2026, 1, 1)),
    (models.JSONField, lambda: Jsonb({})),
    (ArrayField, list),
    (models.BinaryField, lambda: b"x"),
    (models.IntegerField, lambda: 1),
    (models.FloatField, lambda: 1.0),
    (models.DecimalField, lambda: 1),
    (models.GenericIPAddressField, lambda: "192.0.2.1"),
)
_SHORTEST = 21  # characters: a canary and what makes it differ from row to row


def tenant_models() -> list[type[models.Model]]:
    """All models whose rows name an organisation."""
    return [
        model for model in apps.get_models() if any(f.column == "organisation_id" for f in model._meta.local_fields)
    ]


def personal_models() -> list[type[models.Model]]:
    """All models whose rows name no organisation but a person's account, or are one."""
    return [
        model for model in apps.get_models()
        if model is User or (model not in tenant_models() and _user_of(model) is not None)
    ]  # fmt: skip


def plant(organisation: UUID, canary: str) -> dict[str, set[str]]:
    """Put the canary into every text of an organisation, and of the accounts of its people; which texts, by table.

    A table that holds no row of it gets one. The rows serve for nothing but being found afterwards.
    """
    planted: dict[str, set[str]] = {}
    with _lawless() as database:
        found = database.execute("SELECT user_id FROM identity_membership WHERE organisation_id = %s", [organisation])
        users = [one for (one,) in found.fetchall()]
        for model in tenant_models():
            fill(database, model, organisation)
            planted[model._meta.db_table] = _sow(database, model, "organisation_id", [organisation], canary)
        planted["organisations_organisation"] = _sow(database, Organisation, "id", [organisation], canary)
        for model in personal_models():
            column = "id" if model is User else str(_user_of(model))
            planted[model._meta.db_table] = _sow(database, model, column, users, canary)
    return planted


@contextmanager
def _lawless() -> Iterator[psycopg.Connection[Any]]:
    """A session without triggers and foreign keys."""
    with superuser() as database:
        database.execute("SET session_replication_role = replica")
        yield database


def fill_all(organisation: UUID) -> None:
    """Give an organisation a row in every table that holds none of it."""
    with _lawless() as database:
        for model in tenant_models():
            fill(database, model, organisation)


def fill(database: psycopg.Connection[Any], model: type[models.Model], organisation: UUID) -> None:
    """Give the organisation a row in this table, if it has none: its references point at its own rows."""
    table = sql.Identifier(model._meta.db_table)
    found = database.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE organisation_id = %s").format(table), [organisation]
    ).fetchone()
    if found != (0,):
        return
    values = {field.column: _value(database, field, organisation) for field in model._meta.local_concrete_fields
              if field.column is not None and not _is_made_by_the_database(field)}  # fmt: skip
    columns = sql.SQL(", ").join(map(sql.Identifier, values))
    marks = sql.SQL(", ").join(sql.Placeholder() * len(values))
    database.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, columns, marks), list(values.values()))


def _is_made_by_the_database(field: Any) -> bool:
    return field.has_default() is False and getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED


def _value(database: psycopg.Connection[Any], field: Any, organisation: UUID) -> Any:
    if field.column == "organisation_id":
        return organisation
    if field.is_relation:
        return _row_of(database, field.related_model, organisation) if not field.null else None
    if field.choices:
        return field.choices[0][0]
    if field.has_default():
        made = field.get_default()
        return Jsonb(made) if isinstance(field, models.JSONField) else made
    if field.null:
        return None
    return _plain(field)


def _plain(field: Any) -> Any:
    made = next((make for kind, make in _MADE if isinstance(field, kind)), None)
    # Another text in each row, and so a unique one.
    return made() if made else uuid4().hex[: field.max_length or 32]


def _row_of(database: psycopg.Connection[Any], model: type[models.Model], organisation: UUID) -> Any:
    key, table = model._meta.pk.column, sql.Identifier(model._meta.db_table)
    ours = model in tenant_models()
    where = sql.SQL("WHERE organisation_id = %s") if ours else sql.SQL("WHERE %s::uuid IS NOT NULL")
    if model is Organisation:
        return organisation
    found = database.execute(
        sql.SQL("SELECT {} FROM {} {} LIMIT 1").format(sql.Identifier(key), table, where), [organisation]
    ).fetchone()
    return found[0] if found else uuid7()


def _user_of(model: type[models.Model]) -> str | None:
    return next(
        (field.column for field in model._meta.local_fields if field.is_relation and field.related_model is User), None
    )


def _sow(
    database: psycopg.Connection[Any], model: type[models.Model], column: str, owners: list[UUID], canary: str
) -> set[str]:
    """Into each text of the rows whose `column` is one of `owners`; the columns that took it."""
    table, sown = sql.Identifier(model._meta.db_table), set()
    for field in model._meta.local_concrete_fields:
        value = _canary(field, canary)
        if value is None:
            continue
        statement = sql.SQL("UPDATE {table} SET {name} = {value} WHERE {owner} = ANY(%(owners)s)").format(
            table=table, name=sql.Identifier(field.column), owner=sql.Identifier(column), value=value,
        )  # fmt: skip
        database.execute(statement, {"owners": owners, "canary": canary})
        sown.add(field.column)
    return sown


def _canary(field: Any, canary: str) -> Any:
    """What a field is set to, as SQL; None for what is no text, or one of a certain form."""
    word = "%(canary)s || '-' || left(md5(tableoid::text || ctid::text), 8)"  # another in each row
    if field.column is None or field.choices or field.is_relation or field.column in _FORMED or field.primary_key:
        return None
    if isinstance(field, models.JSONField):
        return sql.SQL(f"jsonb_build_object('canary', {word})")
    if isinstance(field, ArrayField):
        return sql.SQL(f"ARRAY[{word}]") if isinstance(field.base_field, _TEXTS) else None
    if isinstance(field, models.BinaryField) and field.column == "content":
        return sql.SQL(f"convert_to({word}, 'UTF8')")
    if isinstance(field, _TEXTS) and (field.max_length is None or field.max_length >= _SHORTEST):
        return sql.SQL(word)
    return None
