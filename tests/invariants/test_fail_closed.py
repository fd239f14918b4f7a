"""Doubt refuses: whatever is broken or missing, nothing is called, and the refusal is on record."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from agents.gate import get_gate
from agents.runs import engine
from agents.runs.models import Run
from foundation.audit.models import AuditEntry
from foundation.ids import uuid7
from governance import gate
from governance.budgets.engine import Books
from governance.policies import circumstances
from tests.workers import end_all_runs, superuser, until


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("canary-of-the-fault")


def put_policy(house: Any, source: str) -> None:
    """A policy in force that no service would have let in."""
    policy, version, own = uuid7(), uuid7(), house.organisation.id
    with superuser() as database, database.transaction():
        database.execute("INSERT INTO policies_policy (id, organisation_id, slug, name, mode) "
                         "VALUES (%s, %s, 'put-in', 'Put in', 'enforce')", [policy, own])  # fmt: skip
        database.execute("INSERT INTO policies_policyversion (id, organisation_id, policy_id, number, source, "
                         "content_hash, note) VALUES (%s, %s, %s, 1, %s, '', '')",
                         [version, own, policy, source])  # fmt: skip
        database.execute("UPDATE policies_policy SET live_id = %s WHERE id = %s", [version, policy])
        database.execute("UPDATE policies_policygeneration SET number = number + 1 WHERE organisation_id = %s", [own])


def run_sql(house: Any, *statements: str) -> None:
    with superuser() as database:
        for statement in statements:
            database.execute(statement.encode(), [house.organisation.id])


MOVE_ON = "UPDATE policies_policygeneration SET number = number + 1 WHERE organisation_id = %s"
NONSENSE = '@id("n") permit (principal, action, resource) when { principal.nonsense == 1 };'
UNREADABLE = '@id("u") forbid (principal, action, resource) when { context.nonsense.deeper > 1 };'
BREAKS: dict[str, Callable[[Any, Any], None]] = {
    "the judging raises": lambda _house, patch: patch.setattr(gate, "_verdict", fail),
    "the policies cannot be asked": lambda _house, patch: patch.setattr(circumstances, "decide", fail),
    "the policies cannot be read": lambda _house, patch: patch.setattr(gate, "standing", fail),
    "the facts cannot be gathered": lambda _house, patch: patch.setattr(circumstances, "facts_of", fail),
    "a policy's source is garbage": lambda house, _patch: put_policy(house, "permit permit ((("),
    "a policy's source is empty": lambda house, _patch: put_policy(house, '@ask("?") permit (principal);'),
    "a permit reads a missing attribute": lambda house, _patch: put_policy(house, NONSENSE),
    "a forbid reads a missing attribute": lambda house, _patch: put_policy(house, UNREADABLE),
    "there is no generation": lambda house, _patch: run_sql(
        house, "DELETE FROM policies_policygeneration WHERE organisation_id = %s"
    ),
    "no policy is live": lambda house, _patch: run_sql(
        house, "UPDATE policies_policy SET live_id = NULL WHERE organisation_id = %s", MOVE_ON
    ),
    "all policies are off": lambda house, _patch: run_sql(
        house, "UPDATE policies_policy SET mode = 'off' WHERE organisation_id = %s", MOVE_ON
    ),
    "the agent is suspended": lambda house, _patch: run_sql(
        house, "UPDATE identity_principal SET state = 'suspended' WHERE kind = 'agent' AND organisation_id = %s"
    ),
    "the person is suspended": lambda house, _patch: run_sql(
        house, "UPDATE identity_principal SET state = 'suspended' WHERE name = 'Olga Owner' AND organisation_id = %s"
    ),
}


def denials(house: Any, run: Run) -> int:
    with house.in_tenant():
        return AuditEntry.objects.filter(run_id=run.pk, action="decision.deny", outcome="denied").count()


@pytest.mark.parametrize("how", BREAKS)
def test_nothing_starts_in_doubt(house: Any, monkeypatch: Any, how: str) -> None:
    BREAKS[how](house, monkeypatch)
    run = house.run(house.start())
    assert run.state == "failed"
    assert "may not start" in run.failure
    assert house.model.asked == []
    assert denials(house, run) == 1


@pytest.mark.parametrize("how", BREAKS)
def test_nothing_goes_on_in_doubt(house: Any, say: Any, call: Any, monkeypatch: Any, how: str) -> None:
    """It breaks while the model thinks: the tool that it asks for is not called, nor is the model once more."""
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run, real = house.start(), house.model.answer

    def meanwhile(request: dict[str, Any]) -> Any:
        BREAKS[how](house, monkeypatch)
        return real(request)

    house.model.answer = meanwhile
    run = house.run(run)
    assert run.state == "failed"
    assert house.lines() == []
    assert len(house.model.asked) == 1
    assert house.steps(run)[1].state == "refused"
    assert denials(house, run) == 2


def test_a_database_that_is_away_is_no_judgement(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    """Nothing is called and nothing refused meanwhile; once it is back, the same act is judged."""
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run, real, judging = house.start(), house.model.answer, gate._verdict

    def away(*_: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    def meanwhile(request: dict[str, Any]) -> Any:
        monkeypatch.setattr(gate, "_verdict", away)
        return real(request)

    house.model.answer = meanwhile
    engine.advance(run.id)
    run = house.read(run)
    assert (run.state, run.waits_for, run.crashes) == ("waiting", "timer", 0)
    assert house.lines() == []
    assert [step.kind for step in house.steps(run)] == ["model_call"], "nor is a refusal in the journal"
    house.model.answer = real
    monkeypatch.setattr(gate, "_verdict", judging)
    until(lambda: house.run(run).state == "succeeded", 20, lambda: house.read(run).waits_for)
    assert len(house.lines()) == 1


@pytest.mark.parametrize("verb", ["commit", "settle"])
def test_a_gate_that_cannot_write_lets_nothing_out(house: Any, say: Any, monkeypatch: Any, verb: str) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    monkeypatch.setattr(gate.Doorkeeper if verb == "commit" else Books, verb, fail)
    if verb == "commit":
        monkeypatch.setattr(gate.Doorkeeper, "assume", fail)
    run = house.start()
    for _ in range(8):
        run = house.run(run)
        with house.in_tenant():
            Run.objects.filter(pk=run.pk, state="waiting").update(wake_at="2020-01-01T00:00Z")
    if verb == "commit":
        assert house.model.asked == []
    assert run.state in {"failed", "waiting", "running"}, "it never gets anywhere"
    assert run.output is None
    end_all_runs()


@pytest.fixture
def without_gate(settings: Any) -> Iterator[None]:
    settings.AGENTS_GATE = ""
    get_gate.cache_clear()
    yield
    get_gate.cache_clear()


def test_without_a_gate_nothing_runs_and_it_is_on_record(house: Any, without_gate: None) -> None:
    run = house.run(house.start())
    assert run.state == "failed"
    assert "AGENTS_GATE" in run.failure
    assert house.model.asked == []
    with house.in_tenant():
        assert AuditEntry.objects.filter(run_id=run.pk, action="run.failed", reason__contains="AGENTS_GATE").exists()
