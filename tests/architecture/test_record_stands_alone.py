"""The record's rows are plain values: they outlive whatever they speak of, and nobody changes them."""

from contextlib import AbstractContextManager

from django.apps import apps
from django.db import connections

from foundation.audit.models import AuditEntry

_CHANGES = """
SELECT r.rolname || ' may ' || lower(p.privilege) || ' ' || t.name
FROM pg_roles r, unnest(%s::text[]) AS t(name), unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p(privilege)
WHERE r.rolname IN ('remit_serving', 'remit_engine', 'remit_system', 'remit_broker')
    AND has_table_privilege(r.oid, t.name, p.privilege)
"""
_TRIGGERS = """
SELECT count(*) FROM pg_trigger
WHERE tgrelid = %s::regclass AND tgfoid = 'remit_refuse_change'::regproc AND tgenabled <> 'D'
"""
APPEND_ONLY = ["audit_auditentry", "audit_auditleaf", "audit_checkpoint"]


def test_an_entry_has_no_relations():
    relations = [field.name for field in AuditEntry._meta.get_fields() if field.is_relation]
    assert not relations, f"Make {', '.join(relations)} of AuditEntry plain values: an entry outlives what it names."


def test_nothing_else_of_the_record_has_relations_and_nobody_points_at_it():
    related = sorted(
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation
        and "audit" in {model._meta.app_label, getattr(field.related_model, "_meta", model._meta).app_label}
    )
    assert not related, f"Make {', '.join(related)} plain values: the record depends on nothing, and nothing on it."


def test_no_role_may_change_it(database: AbstractContextManager[None]):
    with connections["owner"].cursor() as cursor:
        cursor.execute(_CHANGES, [APPEND_ONLY])
        allowed = [row[0] for row in cursor.fetchall()]
        assert not allowed, f"Revoke it in a migration: {', '.join(allowed)}."
        for table in APPEND_ONLY:
            cursor.execute(_TRIGGERS, [table])
            (triggers,) = cursor.fetchone() or (0,)
            assert triggers >= 2, (
                f"{table} lacks the triggers that refuse changes: add AppendOnly to the migration that makes it."
            )
