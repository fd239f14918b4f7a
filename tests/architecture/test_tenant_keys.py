"""Keys between tenants' rows hold the organisation: a foreign-key check does not see row-level security."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from django.apps import apps
from django.db import connections, models

from foundation.organisations.models import Organisation
from foundation.tenancy.models import TenantForeignKey

PACKAGES = ("config", "console", "foundation", "agents", "governance")
EXCEPTIONS = {
    "policies.PolicyDecision.target": "the doorkeeper alone writes it, from the agent that acts; requests only read it",
}
_COMPOSITE = """
SELECT FROM pg_constraint k
WHERE k.contype = 'f' AND k.conrelid = %s::regclass AND k.confrelid = %s::regclass
    AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
         WHERE a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey)) @> ARRAY['organisation_id', %s]::text[]
"""


def _relations() -> Iterator[tuple[str, Any]]:
    """Every relation from one of our tenants' models to another's, with its full name."""
    for model in apps.get_models(include_auto_created=True):
        if model.__module__.split(".")[0] not in PACKAGES or not _is_tenants(model):
            continue
        for field in model._meta.get_fields(include_hidden=True):
            if field.concrete and field.is_relation and _is_tenants(field.related_model):
                yield f"{model._meta.label}.{field.name}", field


def _is_tenants(model: Any) -> bool:
    return any(field.attname == "organisation_id" for field in model._meta.concrete_fields)


def test_tenants_rows_point_at_each_other_by_tenant_keys():
    relations = dict(_relations())
    assert len(relations) > 20, "The guard sees almost no relations: mend `_relations`."
    plain = sorted(
        name
        for name, field in relations.items()
        if not isinstance(field, TenantForeignKey)
        and name not in EXCEPTIONS
        and field.related_model is not Organisation
    )
    assert not plain, (
        f"{', '.join(plain)}: use TenantForeignKey (foundation.tenancy.models). A plain ForeignKey can point at "
        "another tenant's row."
    )


def test_exceptions_are_needed():
    relations = dict(_relations())
    stale = sorted(
        name for name in EXCEPTIONS if name not in relations or isinstance(relations[name], TenantForeignKey)
    )
    assert not stale, f"Take {', '.join(stale)} off the list: it is gone, or a TenantForeignKey by now."


def test_no_row_belongs_to_many_of_others():
    """A many-to-many table has no organisation, and so no row-level security."""
    hidden = sorted(
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model.__module__.split(".")[0] in PACKAGES
        for field in model._meta.get_fields()
        if isinstance(field, models.ManyToManyField)
    )
    assert not hidden, f"{', '.join(hidden)}: write the table between as a TenantModel with two TenantForeignKeys."


def test_the_database_holds_each_key_with_its_organisation(database: AbstractContextManager[None]):
    missing = []
    with connections["owner"].cursor() as cursor:
        for name, field in _relations():
            if not isinstance(field, TenantForeignKey):
                continue
            tables = [field.model._meta.db_table, field.related_model._meta.db_table]
            cursor.execute(_COMPOSITE, [*tables, field.column])
            if cursor.fetchone() is None:
                missing.append(name)
    assert not missing, (
        f"The database has no key (organisation, row) for {', '.join(missing)}: IsolateTenant adds it when it runs "
        "after the field; for a later field add the constraint in the same migration."
    )
