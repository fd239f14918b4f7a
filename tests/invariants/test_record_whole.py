"""The record is whole: every decision and every effect has its one entry, and nobody can take one back."""

from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from psycopg import errors

from agents.runs.models import Run
from agents.runs.services import cancel_run, resolve_unknown
from foundation.audit.verification import verify
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve, deny
from tests.seals import seal_all
from tests.workers import superuser

POLICY = """
@id("allow") permit (principal, action, resource);
@id("never") forbid (principal, action, resource == Tool::"witness.read");
@id("careful") @ask("May I?") @approvers("operator") @quorum("1") @expires("1h") @risk("low")
forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };
"""
APPEND_ONLY = ["audit_auditentry", "policies_policydecision", "budgets_ledgerentry", "registry_agentversion",
               "policies_policyversion", "approvals_vote"]  # fmt: skip


@pytest.fixture
def mixed(make_house: Any, say: Any, call: Any) -> Any:
    """A house where everything has happened once: allowed, denied, approved, refused, broken, unknown, cancelled."""
    house = make_house(POLICY)
    for text in ("ok", "no", "refuse", "break"):
        house.model.answers = {"worker": [
            call("witness.idempotent", note=text if text == "refuse" else "fine"), call("witness.read", note="x"),
            call("no.such", note="x"), call("witness.effect", wrong=1), call("witness.effect", note=text), say("Done."),
        ]}  # fmt: skip
        run = house.run(house.start(text))
        answer(house, run, yes=text != "no")
        run = house.run(run)
        if run.waits_for == "person":
            with house.in_tenant():
                number = run.steps_written
                resolve_unknown(actor=house.owner, run=run, number=number, outcome="done", evidence="Seen.")
            run = house.run(run)
        assert run.state == "succeeded", run.failure
    cancelled = house.run(house.start("cancelled"))
    with house.in_tenant():
        cancel_run(actor=house.owner, run=cancelled, reason="No need.")
    assert house.run(cancelled).state == "cancelled"
    house.model.fail_with = [400]
    assert house.run(house.start("bad")).state == "failed"
    return house


def answer(house: Any, run: Run, *, yes: bool) -> None:
    with house.in_tenant():
        request = ApprovalRequest.objects.get(run=run, state="waiting")
        if yes:
            approve(actor=house.approver, request=request, digest=request.digest)
        else:
            deny(actor=house.approver, request=request, reason="No.")


def rows(house: Any, query: str) -> list[Any]:
    with superuser() as database:
        return database.execute(query.replace("ORG", f"'{house.organisation.id}'").encode()).fetchall()


def test_every_act_has_one_decision_before_it_and_every_decision_one_entry(mixed: Any) -> None:
    acts = rows(mixed, """
        SELECT s.kind, s.state, count(d.id), bool_and(d.at <= s.started_at + interval '1 s' AND d.effect =
            CASE s.state WHEN 'refused' THEN 'deny' ELSE 'allow' END)
        FROM runs_step s LEFT JOIN policies_policydecision d ON d.run_id = s.run_id AND d.step = s.number
            AND d.id = s.decision_id
        WHERE s.organisation_id = ORG AND s.kind <> 'decision_wait' GROUP BY s.run_id, s.number, s.kind, s.state
    """)  # fmt: skip
    assert len(acts) > 30
    assert {(count, sound) for _, _, count, sound in acts} == {(1, True)}, acts
    assert {state for _, state, *_ in acts} == {"succeeded", "failed", "refused"}
    unheard = rows(mixed, """
        SELECT d.id, d.effect, count(e.id) FROM policies_policydecision d LEFT JOIN audit_auditentry e
            ON e.details->>'decision' = d.id::text AND e.action = 'decision.' || d.effect
        WHERE d.organisation_id = ORG GROUP BY 1, 2 HAVING count(e.id) <> 1
    """)  # fmt: skip
    assert unheard == []
    strange = rows(mixed, """
        SELECT e.id FROM audit_auditentry e WHERE e.organisation_id = ORG AND e.action LIKE 'decision.%' AND NOT EXISTS
            (SELECT FROM policies_policydecision d WHERE d.id::text = e.details->>'decision')
    """)  # fmt: skip
    assert strange == []


def test_every_outcome_has_one_entry(mixed: Any) -> None:
    outcomes = rows(mixed, """
        SELECT s.kind, s.state, count(e.id) FROM runs_step s LEFT JOIN audit_auditentry e
            ON e.run_id = s.run_id AND e.step = s.number AND e.action LIKE s.kind || '.%'
        WHERE s.organisation_id = ORG AND s.kind <> 'decision_wait' AND s.state <> 'refused'
        GROUP BY s.run_id, s.number, s.kind, s.state
    """)  # fmt: skip
    assert {count for *_, count in outcomes} == {1}, outcomes
    ends = rows(mixed, """
        SELECT r.state, count(e.id) FROM runs_run r LEFT JOIN audit_auditentry e
            ON e.run_id = r.id AND e.action = 'run.' || r.state
        WHERE r.organisation_id = ORG GROUP BY r.id, r.state
    """)  # fmt: skip
    assert {count for _, count in ends} == {1}
    resolved = rows(
        mixed, "SELECT 1 FROM audit_auditentry WHERE organisation_id = ORG AND action = 'step.resolve.done'"
    )
    assert len(resolved) == 1


def test_money_booked_is_money_spent(mixed: Any) -> None:
    (settled,), (steps,), (runs,), (ledger,) = (
        rows(mixed, query)[0]
        for query in (
            "SELECT settled + overrun FROM budgets_budget WHERE organisation_id = ORG AND scope = 'organisation'",
            "SELECT sum(cost)::bigint FROM runs_step WHERE organisation_id = ORG",
            "SELECT sum(cost)::bigint FROM runs_run WHERE organisation_id = ORG",
            """SELECT sum(amount)::bigint FROM budgets_ledgerentry
               WHERE organisation_id = ORG AND kind IN ('settle', 'overrun')""",
        )
    )
    assert settled == steps == runs == ledger > 0


@pytest.mark.slow
def test_nobody_changes_what_is_written(mixed: Any) -> None:
    for table in APPEND_ONLY:
        everything = f"SELECT to_jsonb(t) FROM {table} t WHERE organisation_id = ORG ORDER BY id"
        before = rows(mixed, everything)
        assert before
        changes = [f"UPDATE {table} SET organisation_id = organisation_id", f"DELETE FROM {table}",
                   f"TRUNCATE {table} CASCADE"]  # fmt: skip
        for alias in ("default", "engine", "system", "owner"):
            for change in changes:
                assert touched(mixed, alias, change) == 0, (alias, change)
        assert rows(mixed, everything) == before
        for change in changes:
            with superuser() as database, pytest.raises(errors.InsufficientPrivilege, match="append-only"):
                database.execute(change.encode())


def touched(house: Any, alias: str, change: str) -> int:
    """The rows that a role could change; row-level security hides them from the owner."""
    try:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("SELECT set_config('remit.organisation', %s, true)", [str(house.organisation.id)])
            cursor.execute(change)
            return -1 if "TRUNCATE" in change else int(cursor.rowcount)
    except DatabaseError:
        return 0


def test_partitions_are_no_way_round(mixed: Any) -> None:
    with superuser() as database:
        # Those of the months to come are made as the clock makes them.
        database.execute("SELECT remit_make_partitions(t, 5) FROM unnest(ARRAY['audit_auditentry', "
                         "'policies_policydecision', 'budgets_ledgerentry']) AS t")  # fmt: skip
        parts = database.execute("SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits i "
                                 "JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r'").fetchall()  # fmt: skip
        append_only = [part for part, whole in parts if whole in APPEND_ONLY]
        assert len(append_only) > 3
        for part in append_only:
            for change in (f"TRUNCATE {part}", f"DELETE FROM {part}"):
                if database.execute(f"SELECT count(*) FROM {part}".encode()).fetchone() == (0,):
                    change = f"TRUNCATE {part}"  # noqa: PLW2901 - there is no row to delete
                with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
                    database.execute(change.encode())


TAMPERINGS = {
    "a reason": "UPDATE audit_auditentry SET reason = 'other' WHERE id = (SELECT min(id::text)::uuid FROM "
                "audit_auditentry WHERE organisation_id = ORG AND action = 'decision.deny')",
    "who it was": "UPDATE audit_auditentry SET actor_name = 'Nobody' WHERE organisation_id = ORG "
                  "AND action = 'approval.approve'",
    "one less": "DELETE FROM audit_auditentry WHERE organisation_id = ORG AND action = 'approval.deny'",
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERINGS)
@pytest.mark.slow
def test_tampering_with_all_rights_is_found(mixed: Any, what: str) -> None:
    seal_all(mixed.organisation.id)
    assert verify(mixed.organisation.id).ok
    with superuser() as database:
        database.execute("SET session_replication_role = replica")
        changed = database.execute(TAMPERINGS[what].replace("ORG", f"'{mixed.organisation.id}'").encode())
        assert changed.rowcount > 0
    result = verify(mixed.organisation.id)
    assert not result.ok
    assert result.first_bad is not None
