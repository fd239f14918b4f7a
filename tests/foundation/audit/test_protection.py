"""The database itself refuses to change the record, and shows each organisation its own."""

import pytest
from django.db import connections, transaction
from django.db.utils import ProgrammingError

from foundation.actors import ANONYMOUS
from foundation.audit.models import AuditBody, AuditEntry, AuditLeaf, Checkpoint
from foundation.audit.queries import AppendOnlyError
from foundation.audit.record import entry, record
from foundation.ids import uuid7
from foundation.tenancy.context import tenant

CHANGES = [
    "UPDATE audit_auditentry SET reason = 'x'",
    "DELETE FROM audit_auditentry",
    "TRUNCATE audit_auditentry",
    "UPDATE audit_auditentry_rest SET reason = 'x'",
    "SELECT * FROM audit_auditentry_rest",
    "UPDATE audit_auditleaf SET index = index + 1",
    "DELETE FROM audit_auditleaf",
    "UPDATE audit_checkpoint SET note = ''",
    "DELETE FROM audit_checkpoint",
    "UPDATE audit_auditbody SET body = '1'",
    "ALTER TABLE audit_auditentry DISABLE TRIGGER ALL",
    "INSERT INTO audit_auditentry (id, xid) VALUES (gen_random_uuid(), '1')",
    "INSERT INTO audit_auditentry (id, at) VALUES (gen_random_uuid(), now())",
    "INSERT INTO audit_auditentry (id, epoch) VALUES (gen_random_uuid(), 1)",
]
OF_SERVING_AND_ENGINE = [
    "INSERT INTO audit_auditleaf (log, index, entry_id, leaf_hash) SELECT id, 0, id, '' FROM gen_random_uuid() id",
    "INSERT INTO audit_checkpoint (log, size, root_hash, note) VALUES (gen_random_uuid(), 0, '', '')",
    "DELETE FROM audit_auditbody",
    "UPDATE audit_logtile SET hashes = ''",
    "SELECT * FROM audit_sealposition",
]


def run(alias, statement):
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("alias", ["default", "engine", "system"])
def test_no_role_of_the_application_changes_the_record(database, alias, statement):
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        run(alias, statement)


@pytest.mark.parametrize("statement", OF_SERVING_AND_ENGINE)
@pytest.mark.parametrize("alias", ["default", "engine"])
def test_the_log_is_the_sealers(database, alias, statement):
    with pytest.raises(ProgrammingError, match="permission denied"):
        run(alias, statement)


@pytest.mark.slow
def test_the_owner_is_refused_by_triggers(organisation, write, seal_all):
    write()
    seal_all()
    partitions = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_auditentry'::regclass"
    with connections["owner"].cursor() as cursor:
        cursor.execute(partitions)
        names = [name for (name,) in cursor.fetchall()]
    assert len(names) > 1
    for name in ("audit_auditentry", "audit_auditleaf", "audit_checkpoint", *names):
        with pytest.raises(ProgrammingError, match="append-only"):
            run("owner", f"TRUNCATE {name}")
    # Row-level security hides every row from the owner; where it is taken away, the triggers stand.
    for table in ("audit_auditentry", "audit_auditleaf", "audit_checkpoint"):
        with pytest.raises(ProgrammingError, match="append-only"):
            run("owner", f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; DELETE FROM {table}")


def test_partitions_to_come_are_protected_too(database):
    with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
        cursor.execute("SELECT remit_make_partitions('audit_auditentry', 5)")
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits i WHERE inhparent = 'audit_auditentry'::regclass "
            "AND (SELECT count(*) FROM pg_trigger WHERE tgrelid = inhrelid) < 2"
        )
        assert cursor.fetchall() == []


@pytest.mark.slow
def test_an_organisation_sees_its_own(organisation, write, seal_all):
    write(body="mine")
    with transaction.atomic():
        record(entry(ANONYMOUS, "sign_in.fail", outcome="denied"))
    seal_all()
    tables = (AuditEntry, AuditBody, AuditLeaf, Checkpoint)
    with tenant(organisation):
        assert [model.objects.count() for model in tables] == [1, 1, 1, 1]
    with tenant(uuid7()):
        assert [model.objects.count() for model in tables] == [0, 0, 0, 0]
    with transaction.atomic():
        assert [model.objects.count() for model in tables] == [0, 0, 0, 0]


def test_the_models_refuse_before_the_database_has_to(organisation, write):
    write()
    with tenant(organisation):
        found = AuditEntry.objects.get()
        for change in (
            found.save,
            found.delete,
            AuditEntry.objects.all().delete,
            lambda: AuditEntry.objects.update(reason="x"),
        ):
            with pytest.raises(AppendOnlyError):
                change()


def test_the_entry_has_no_relations():
    assert not [field.name for field in AuditEntry._meta.get_fields() if field.is_relation]
