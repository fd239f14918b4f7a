"""Tenants never meet, though the application forget every filter: the database alone keeps their rows apart."""

import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, models, transaction
from psycopg import errors

from agents.runs.models import Summary
from agents.runs.sessions import save_artifact
from agents.schedules.plans import Plan
from agents.schedules.services import create_schedule, create_trigger, run_now
from agents.tools.models import Tool
from agents.tools.services import add_credential
from foundation.identity.models import Principal
from foundation.identity.services import create_api_key, create_service
from foundation.tenancy.models import TenantForeignKey
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve
from tests.canaries import fill_all, tenant_models
from tests.foundation.api.world import wait_for_all
from tests.workers import superuser

ASK = (
    '@id("allow") permit (principal, action, resource);\n'
    '@id("careful") @ask("May I?") @approvers("operator") @quorum("1") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };'
)


def tenant_keys() -> list[tuple[type[models.Model], TenantForeignKey]]:
    return [(model, field) for model in tenant_models() for field in model._meta.local_fields
            if isinstance(field, TenantForeignKey)]  # fmt: skip


@pytest.fixture
def two(make_house: Any, say: Any, call: Any) -> list[Any]:
    """Two organisations with a row in every table."""
    houses = []
    for _ in range(2):
        house = make_house(ASK)
        house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
        run = house.run(house.start())
        with house.in_tenant():
            add_credential(actor=house.owner, name="c", secret="not-a-secret")
            create_service(actor=house.owner, organisation=house.organisation, name="Robot")
            create_api_key(actor=house.owner, principal=Principal.objects.get(pk=house.owner.principal), name="k")
            request = ApprovalRequest.objects.get(run=run)
            approve(actor=house.approver, request=request, digest=request.digest)
            hourly = Plan(name="Hourly", kind="cron", expression="0 * * * *", input="Look")
            run_now(actor=house.owner, schedule=create_schedule(actor=house.owner, agent=house.agent, plan=hourly))
            create_trigger(actor=house.owner, agent=house.agent, name="Shop")
            save_artifact(actor=house.owner, session=run.session, name="n", media_type="text/plain", content=b"x")
        Summary.objects.using("engine").create(
            organisation_id=run.organisation_id, session_id=run.session_id, run_id=run.id, number=0, text="s", label={},
            lineage={}, tokens=1,
        )  # fmt: skip
        wait_for_all(run)
        assert house.run(run).state == "succeeded"
        fill_all(house.organisation.id)
        houses.append(house)
    return houses


def as_json(table: str, organisation: Any) -> list[str]:
    with superuser() as database:
        found = database.execute(f"SELECT to_jsonb(t)::text FROM {table} t WHERE organisation_id = %s".encode(),
                                 [organisation.id]).fetchall()  # fmt: skip
    return [row for (row,) in found]


def attempt(statement: str, values: list[Any], organisation: str) -> int:
    """What a statement touches under the serving role, with this setting; 0 if it is refused."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            if organisation:
                cursor.execute("SELECT set_config('remit.organisation', %s, true)", [organisation])
            cursor.execute(statement, values)
            touched = cursor.fetchone()[0] if statement.startswith("SELECT") else cursor.rowcount
            transaction.set_rollback(True)
            return int(touched)
    except DatabaseError:
        return 0


@pytest.mark.parametrize("setting", ["of another", "none", "empty", "garbage"])
def test_rows_of_another_organisation_are_invisible_and_unwritable(two: list[Any], setting: str) -> None:
    own, other = two
    name = {"of another": str(own.organisation.id), "none": "", "empty": " ", "garbage": "' OR true --"}[setting]
    for model in tenant_models():
        table = model._meta.db_table
        theirs = as_json(table, other.organisation)
        assert theirs, f"{table} is empty: tests/canaries.py fills it"
        where = "WHERE organisation_id = %s"
        values = [other.organisation.id]
        assert attempt(f"SELECT count(*) FROM {table} {where}", values, name) == 0, table
        assert attempt(f"SELECT count(*) FROM {table}", [], name) == (
            len(as_json(table, own.organisation)) if setting == "of another" else 0
        ), table
        assert attempt(f"UPDATE {table} SET organisation_id = organisation_id {where}", values, name) == 0, table
        assert attempt(f"DELETE FROM {table} {where}", values, name) == 0, table
        copy = json.loads(theirs[0]) | ({"id": "00000000-0000-7000-8000-000000000001"} if "id" in theirs[0] else {})
        columns = ", ".join(f'"{f.column}"' for f in model._meta.local_concrete_fields
                            if f.column not in {"at", "xid", "epoch"})  # fmt: skip
        insert = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s)"
        assert attempt(insert, [json.dumps(copy)], name) == 0, table


def test_nobody_hands_a_row_over(two: list[Any]) -> None:
    own, other = two
    for model in tenant_models():
        table = model._meta.db_table
        taken = attempt(f"UPDATE {table} SET organisation_id = %s", [other.organisation.id], str(own.organisation.id))
        assert taken == 0, table


def test_no_row_points_at_another_organisations(two: list[Any]) -> None:
    own, other = two
    assert len(tenant_keys()) > 30
    with superuser() as database:
        for holder, field in tenant_keys():
            table, column, target = holder._meta.db_table, field.column, field.related_model._meta.db_table
            tied = database.execute("SELECT count(*) FROM pg_constraint WHERE conname = %s AND contype = 'f'",
                                    [f"{table}_{column}_tenant"]).fetchone()  # fmt: skip
            assert tied == (1,), (table, column)
            theirs, mine = (
                database.execute(f"SELECT id FROM {name} WHERE organisation_id = %s LIMIT 1".encode(),
                                 [place.organisation.id]).fetchone()
                for name, place in ((target, other), (table, own))
            )  # fmt: skip
            assert theirs is not None, target
            assert mine is not None, table
            # An append-only row refuses before its key is looked at, and so does one that may be there only once.
            with pytest.raises((errors.ForeignKeyViolation, errors.InsufficientPrivilege, errors.UniqueViolation)):
                database.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s".encode(), [theirs[0], mine[0]])


def test_partitions_cannot_be_read_by_the_side(two: list[Any]) -> None:
    with superuser() as database:
        parts = [name for (name,) in database.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE c.relkind = 'r'").fetchall()]  # fmt: skip
    assert len(parts) >= 10
    for alias in ("default", "engine", "system"):
        for part in parts:
            with pytest.raises(DatabaseError), transaction.atomic(using=alias), connections[alias].cursor() as cursor:
                cursor.execute(f"SELECT 1 FROM {part} LIMIT 1")


def test_every_table_with_an_organisation_is_under_row_level_security() -> None:
    with superuser() as database:
        open_tables = database.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = "
            "'organisation_id' WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = "
            "'public'::regnamespace AND NOT (c.relrowsecurity AND c.relforcerowsecurity)").fetchall()  # fmt: skip
        loose = database.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'remit%' AND (rolsuper OR rolbypassrls)"
        )
        assert loose.fetchall() == []
    assert open_tables == []


def test_the_forgetful_query_sees_the_own_rows_only(two: list[Any]) -> None:
    own, _ = two
    with own.in_tenant():
        assert {tool.organisation_id for tool in Tool.objects.all()} == {own.organisation.id}
    assert Tool.objects.count() == 0
