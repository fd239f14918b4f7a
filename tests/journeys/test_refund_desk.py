"""The sample team works through its mails, over REST: what people are asked, what is refused, what is paid."""

import json
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[2] / "platform" / "config" / "sample"
EXPECTED = json.loads((SAMPLE / "expected.json").read_text())


def subject(name: str) -> str:
    mail = message_from_bytes((SAMPLE / "mails" / name).read_bytes(), policy=policy.default)
    return " ".join(str(mail["Subject"]).split())


@pytest.fixture(scope="module")
def worked(installation: Any) -> Any:
    """Every mail has come to its end; the only people's work were the approvals."""
    installation.wait(installation.everything_ended_but_approvals, "the first part of the work")
    asked = installation.approve_all()
    assert asked == sum(case["asked"] for case in EXPECTED.values())
    installation.wait(installation.everything_ended, "the rest of the work")
    return installation


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_mail_ends_as_expected(worked: Any, name: str) -> None:
    case = EXPECTED[name]
    runs = [run for run in worked.all("runs") if run["title"] == subject(name)[:200] and run["parent"] is None]
    assert len(runs) == 1, [run["title"] for run in worked.all("runs")]
    run = worked.call("GET", f"runs/{runs[0]['id']}")
    steps = worked.all(f"runs/{run['id']}/steps")
    assert run["state"] == case["state"], run["failure"]
    assert run["rehearsed"] is True
    refused = sorted({step["name"] for step in steps if step["state"] == "refused"} - {"rehearsal-large"})
    assert refused == sorted(case["refused_tools"])
    assert any(step["kind"] == "decision_wait" for step in steps) == case["asked"]
    if case["state"] == "succeeded":
        assert f"Outcome: {case['outcome']}" in run["output"]["text"]
    else:
        assert "budget of the run" in run["failure"]
    sent = [step for step in steps if step["name"] == "mail.send" and step["state"] == "succeeded"]
    assert bool(sent) == case["reply"]


def test_the_ledger_holds_each_refund_once(worked: Any) -> None:
    expected = sorted((case["order"], case["amount_cents"]) for case in EXPECTED.values() if case["amount_cents"])
    assert worked.ledger() == expected
    assert worked.rows("SELECT count(*) FROM sample_ledger.payouts", role="OWNER") == [(0,)]


def test_each_reply_is_a_mail_in_the_outbox(worked: Any) -> None:
    replies = sum(case["reply"] for case in EXPECTED.values())
    assert len(list((worked.data / "sample" / "outbox").glob("*.eml"))) == replies


def test_every_tool_call_has_exactly_one_earlier_decision(worked: Any) -> None:
    odd = worked.rows(
        "SELECT s.run_id, s.number FROM runs_step s LEFT JOIN policies_policydecision d "
        "ON d.id = s.decision_id AND d.run_id = s.run_id AND d.step = s.number AND d.at <= s.started_at "
        "WHERE s.kind IN ('tool_call', 'model_call', 'delegation', 'decision_wait') "
        "GROUP BY s.run_id, s.number HAVING count(d.id) <> 1"
    )
    assert odd == []
    twice = worked.rows("SELECT run_id, step FROM policies_policydecision WHERE step > 0 AND kind <> 'run_start' "
                        "GROUP BY 1, 2 HAVING count(*) > 1")  # fmt: skip
    assert twice == []


def test_every_decision_and_effect_is_in_the_record(worked: Any) -> None:
    missing = worked.rows(
        "SELECT d.id FROM policies_policydecision d LEFT JOIN audit_auditentry a "
        "ON a.details->>'decision' = d.id::text AND a.action = 'decision.' || d.effect "
        "GROUP BY d.id HAVING count(a.id) <> 1"
    )
    assert missing == []
    silent = worked.rows(
        "SELECT s.run_id, s.number FROM runs_step s LEFT JOIN audit_auditentry a ON a.run_id = s.run_id "
        "AND a.step = s.number AND a.action = s.kind || '.' || s.state "
        "WHERE s.kind IN ('tool_call', 'model_call') AND s.state IN ('succeeded', 'failed') "
        "GROUP BY s.run_id, s.number HAVING count(a.id) < 1"
    )
    assert silent == []


@pytest.mark.parametrize("role", ["", "ENGINE_", "SYSTEM_"])
@pytest.mark.parametrize("statement", ["UPDATE audit_auditentry SET reason = 'x'", "DELETE FROM audit_auditentry",
                                       "TRUNCATE audit_auditentry"])  # fmt: skip
def test_the_record_cannot_be_changed_by_any_role_of_the_application(worked: Any, role: str, statement: str) -> None:
    told = json.loads((worked.data / "run" / "environment.json").read_text())["environment"]
    with (
        psycopg.connect(told[f"DATABASE_{role}URL"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_the_record_verifies(worked: Any) -> None:
    sealed = (
        "SELECT count(*) FROM audit_auditentry e LEFT JOIN audit_auditleaf l ON l.entry_id = e.id WHERE l.log IS NULL"
    )
    worked.wait(lambda: worked.rows(sealed)[0][0] == 0, "the sealing of the record")
    assert "ok" in worked.manage("verify_record").lower()


def test_a_mail_of_ones_own_works_too(worked: Any, tmp_path: Path) -> None:
    mail = tmp_path / "mine.eml"
    mail.write_text(
        "From: Somebody <somebody@example.net>\nTo: refunds@northwind.example\nSubject: Where is my parcel?\n"
        "Content-Type: text/plain; charset=utf-8\n\nHello, could you tell me your opening hours? Thank you!\n"
    )
    said = worked.manage("submit", "--team", "refund-desk", "--wait", str(mail))
    assert "Outcome:" in said


def test_the_doctor_finds_nothing(worked: Any) -> None:
    assert "wrong" not in worked.manage("doctor").lower()
