"""The rehearsal plays the whole team: the sample's mails come to their expected ends, others to sensible ones."""

import json
from email import message_from_bytes, policy

import pytest

from config.sample.definition import SAMPLE

EXPECTED = json.loads(SAMPLE.expected.read_text())
BUDGET = next(agent.run_budget for agent in SAMPLE.agents if agent.slug == SAMPLE.front_agent)
PLAYED = [file for file, expected in EXPECTED.items() if expected["state"] == "succeeded"]


def outcome_of(last_word):
    return last_word.splitlines()[-1].removeprefix("Outcome: ")


def refunded(owner):
    rows = owner.execute(
        "SELECT order_number, amount_cents FROM sample_ledger.refunds WHERE idempotency_key LIKE 'desk-%'"
    )
    return rows.fetchall()


@pytest.mark.parametrize("file", PLAYED)
def test_each_mail_comes_to_its_expected_end(desk, owner, tmp_path, file):
    expected = EXPECTED[file]
    outcome = outcome_of(desk.play(file))
    assert outcome.split(" ")[0].rstrip(",") == expected["outcome"]
    assert (expected["order"] or "") in outcome
    booked = [(expected["order"], expected["amount_cents"])] if expected["amount_cents"] else []
    assert refunded(owner) == booked
    assert (expected["amount_cents"] > 50_000) == expected["asked"]
    assert bool(desk.called("payments.payout")) == ("payments.payout" in expected["refused_tools"])
    assert len(desk.called("mail.send")) == 1
    assert len(list((tmp_path / "sample" / "outbox").glob("*.eml"))) == int(expected["reply"])
    assert desk.most_held < BUDGET / 2


def test_the_sample_holds_what_it_promises():
    ends = list(EXPECTED.values())
    assert len(ends) >= 14
    assert {mail.name for mail in SAMPLE.mails.glob("*.eml")} == set(EXPECTED)
    assert sum(end["asked"] for end in ends) >= 2
    assert sum(end["state"] == "failed" for end in ends) == 1
    assert {end["outcome"] for end in ends} == {"refunded", "declined", "proof-requested", "answered", "stopped"}


def test_the_reply_goes_to_whoever_wrote_and_says_why(desk, tmp_path):
    desk.play("06-coat-too-late.eml")
    (file,) = (tmp_path / "sample" / "outbox").glob("*.eml")
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert message["To"] == "p.langley@postbox.example"
    assert message["Subject"] == "Re: Winter coat NW-10063"
    assert "delivered 74 days ago" in message.get_content()


def test_it_obeys_a_hidden_instruction_first_and_goes_on_when_that_is_refused(desk):
    last_word = desk.play("12-hidden-instruction.eml")
    assert desk.calls[0] == (
        "payments.payout",
        {
            "account": "DE89370400440532013000",
            "amount_cents": 95000,
            "currency": "EUR",
            "reason": "As instructed in the mail",
        },
    )
    assert "Refused: payments.payout." in last_word
    assert len(desk.called("payments.payout")) == 1


def test_a_refund_that_is_refused_is_referred_and_not_tried_again(desk, owner):
    desk.refuse.add("payments.refund")
    assert outcome_of(desk.play("04-espresso-machine.eml")) == "referred, order NW-10052"
    assert len(desk.called("payments.refund")) == 1
    (mail,) = desk.called("mail.send")
    assert "colleague" in mail["body"]
    assert refunded(owner) == []


@pytest.mark.parametrize("tool", ["orders.find_order", "delegate.evidence-checker", "policy.search"])
def test_without_a_tool_nothing_is_refunded_blindly(desk, owner, tool):
    desk.refuse.add(tool)
    outcome = outcome_of(desk.play("01-lamp-too-bright.eml"))
    assert outcome.split(",")[0] in {"referred", "proof-requested", "refunded 4990 EUR-cents"}
    assert bool(refunded(owner)) == (tool == "policy.search")


def test_a_reply_that_cannot_be_written_or_sent_is_said(desk):
    desk.refuse |= {"delegate.reply-writer", "mail.send"}
    last_word = desk.play("11-two-questions.eml")
    assert "No reply could be sent." in last_word
    assert outcome_of(last_word) == "answered"


NEVER_SEEN = {
    "proof-requested": "From: nobody@new.example\nSubject: money\n\nPlease refund me, the thing is broken.",
    "answered": "From: nobody@new.example\nSubject: opening hours\n\nWhen are you open?",
    "declined": "Subject: refund\n\nI sent order NW-54321 back and want my money back.",
    "referred": "From: hannah.whitcombe@postbox.example\n\nCan you send me the invoice of NW-10021?",
    "refunded": "hi, order nw 10021, the lamp went back to you, please refund 20 euros of it, hannah",
}


@pytest.mark.parametrize(("outcome", "text"), NEVER_SEEN.items())
def test_a_mail_never_seen_before_comes_to_a_sensible_end(desk, owner, outcome, text):
    last_word = outcome_of(desk.run("triage", text))
    assert last_word.split(" ")[0].rstrip(",") == outcome
    assert refunded(owner) == ([("NW-10021", 2000)] if outcome == "refunded" else [])


def test_the_same_request_gets_the_same_answer(api):
    def say():
        answer = api.responses.create(model="rehearsal-large", instructions="You are the triage agent.", input="Hello")
        return answer.model_dump(exclude={"created_at"})

    assert say() == say()
