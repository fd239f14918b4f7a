"""The tick ends the asks whose time is over, however many they are, and looks at none that still waits."""

from collections import Counter
from typing import Any

import pytest

import governance.approvals.tasks
from foundation.audit.models import AuditEntry
from governance.approvals.models import ApprovalRequest
from governance.approvals.tasks import expire
from tests.workers import superuser, until

ASK_FIRST = (
    '@id("allow") permit (principal, action, resource);\n'
    '@id("careful") @ask("May I?") @approvers("approver") @quorum("1") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };'
)
_COPIES = """
INSERT INTO approvals_approvalrequest SELECT (copy).* FROM (
    SELECT jsonb_populate_record(one, jsonb_build_object('id', uuidv7(), 'state', %s::text)) AS copy
    FROM approvals_approvalrequest one, generate_series(1, %s)
    WHERE one.id = (SELECT id FROM approvals_approvalrequest WHERE run_id = %s ORDER BY id LIMIT 1)) made
"""
_ONE_IS_LATE = """
UPDATE approvals_approvalrequest SET expires_at = now()
WHERE id = (SELECT id FROM approvals_approvalrequest WHERE run_id = %s AND state = 'waiting' ORDER BY id LIMIT 1)
"""
_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(n_tup_upd) FILTER (WHERE relname LIKE 'approvals%')
FROM pg_stat_user_tables WHERE relname IN ('approvals_approvalrequest', 'runs_run')
"""


@pytest.fixture
def waiting(make_house: Any, say: Any, call: Any) -> Any:
    """A house and a run that waits for an approval."""
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    assert run.waits_for == "approval", run.failure
    return house, run


def copy(run: Any, state: str, count: int) -> None:
    """So many more asks like that of the run, which nobody waits for."""
    with superuser() as database:
        database.execute(_COPIES, [state, count, run.pk])


def test_those_that_wait_are_not_looked_at(waiting: Any) -> None:
    _, run = waiting
    expire()
    for state in ("waiting", "consumed"):
        copy(run, state, 1_000)
    with superuser() as database:
        database.execute("ANALYZE approvals_approvalrequest")

        def seen() -> tuple[int, int]:
            database.execute("SELECT pg_stat_clear_snapshot()")
            row = database.execute(_READ).fetchone()
            assert row is not None
            return int(row[0]), int(row[1])

        database.execute(_ONE_IS_LATE, [run.pk])
        database.execute("SELECT pg_stat_force_next_flush()")
        read, written = seen()
        expire()
        until(lambda: seen()[1] > written, 20, seen)
        assert seen()[0] - read < 100


def test_many_whose_time_is_over_end_in_portions(waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house, run = waiting
    monkeypatch.setattr(governance.approvals.tasks, "_BATCH", 3)
    copy(run, "waiting", 6)
    copy(run, "approved", 1)
    copy(run, "denied", 1)
    with superuser() as database:
        database.execute("UPDATE approvals_approvalrequest SET expires_at = now() WHERE run_id = %s", [run.pk])
    expire()
    with house.in_tenant():
        states = Counter(ApprovalRequest.objects.filter(run_id=run.pk).values_list("state", flat=True))
        told = AuditEntry.objects.filter(action="approval.expired", run_id=run.pk).count()
    assert states == {"expired": 8, "denied": 1}
    assert told == 8
    assert house.read(run).state == "queued", "it was woken"
