"""The sample's policies: they could be published, and they say what the refund policy says."""

from datetime import UTC, datetime

import pytest

from agents.gate import ActionKind, Effect
from agents.labels import Confidentiality, Integrity, Label
from agents.tools.documents import DocumentsConnector
from config.sample.definition import SAMPLE
from config.sample.outbox import MailOutbox
from config.sample.payments import SandboxPayments
from config.sample.shop import SandboxOrders
from governance.policies.compiled import Mode, PolicyText, compile_policies
from governance.policies.evaluation import decide
from governance.policies.facts import Facts
from governance.policies.schema import PolicyTool, build_schema
from governance.policies.validation import validate

KINDS = {"orders": SandboxOrders(), "policy": DocumentsConnector(), "payments": SandboxPayments(), "mail": MailOutbox()}
TOOLS = {
    f"{connector.slug}.{definition.name}": definition
    for connector in SAMPLE.connectors
    for definition in KINDS[connector.slug].definitions(connector.settings)
}
SCHEMA = build_schema(
    [PolicyTool(name, definition.schema) for name, definition in TOOLS.items()],
    [model.slug for model in SAMPLE.provider.models],
    [agent.slug for agent in SAMPLE.agents],
    [SAMPLE.team_slug],
)
COMPILED = compile_policies(
    [PolicyText(policy.slug, 1, policy.source, Mode(policy.mode)) for policy in SAMPLE.policies], SCHEMA
)
MAIL = Label(Integrity.UNTRUSTED, Confidentiality.CONFIDENTIAL, frozenset({"mail"}))
DIRECTORY = Label(Integrity.TRUSTED, Confidentiality.INTERNAL, frozenset({"directory"}))
REFUND = {"order": "NW-10021", "amount_cents": 4990, "currency": "EUR", "reason": "r"}
PAYOUT = {"account": "DE89370400440532013000", "amount_cents": 95000, "currency": "EUR", "reason": "r"}


def say(kind, agent, target, arguments=None, *, provenance=MAIL, team="refund-desk", calls=0, **more):
    arguments = arguments or {}
    tool = TOOLS.get(target)
    return decide(
        COMPILED,
        Facts(
            kind=kind,
            agent=agent,
            agent_version="sha256:0",
            target=target,
            target_effect=tool.effect.value if tool else "read",
            now=datetime(2026, 11, 23, 12, tzinfo=UTC),
            arguments=arguments,
            label=MAIL,
            provenance=dict.fromkeys(arguments, provenance),
            history={"calls": calls, "spent": 0, "target_calls": calls},
            teams=(team,),
            target_teams=(team,),
            sponsor="someone",
            **more,
        ),
    )


def call(agent, target, arguments, **more):
    return say(ActionKind.TOOL_CALL, agent, target, arguments, **more).effect


@pytest.mark.parametrize("policy", SAMPLE.policies, ids=lambda policy: policy.slug)
def test_each_could_be_published(policy):
    assert validate(policy.source, SCHEMA) == []


def test_agents_name_only_tools_and_agents_that_are_there():
    slugs = {agent.slug for agent in SAMPLE.agents}
    for agent in SAMPLE.agents:
        assert set(agent.tools) <= set(TOOLS)
        assert set(agent.delegates) <= slugs
        assert agent.model in {model.slug for model in SAMPLE.provider.models}


def test_a_refund_up_to_500_euros_is_allowed():
    assert call("triage", "payments.refund", REFUND | {"amount_cents": 50_000}) is Effect.ALLOW


def test_above_500_euros_an_operator_is_asked():
    decision = say(ActionKind.TOOL_CALL, "triage", "payments.refund", REFUND | {"amount_cents": 50_001})
    assert decision.effect is Effect.ASK
    assert decision.obligation.question == "May I refund 500.01 EUR for order NW-10021?"
    assert (decision.obligation.approvers, decision.obligation.quorum) == (("operator",), 1)
    assert (decision.obligation.expires_in, decision.obligation.risk) == (86_400, "high")


def test_with_the_approval_it_is_allowed():
    assert call("triage", "payments.refund", REFUND | {"amount_cents": 128_900}, approved=True) is Effect.ALLOW


def test_another_currency_cannot_pass_under_the_limit():
    assert call("triage", "payments.refund", REFUND | {"currency": "USD"}, approved=True) is Effect.DENY


def test_a_third_refund_in_one_run_is_refused():
    assert call("triage", "payments.refund", REFUND, calls=1) is Effect.ALLOW
    assert call("triage", "payments.refund", REFUND, calls=2) is Effect.DENY


@pytest.mark.parametrize("approved", [False, True])
def test_a_payout_to_an_account_from_a_mail_is_refused_whoever_approves(approved):
    assert call("triage", "payments.payout", PAYOUT, approved=approved) is Effect.DENY
    assert call("triage", "payments.payout", PAYOUT, provenance=DIRECTORY) is Effect.ALLOW


@pytest.mark.parametrize("agent", ["evidence-checker", "reply-writer", "stranger"])
@pytest.mark.parametrize("target", ["payments.refund", "payments.payout", "orders.find_order"])
def test_nobody_else_pays_or_reads_orders(agent, target):
    arguments = {"payments.refund": REFUND, "payments.payout": PAYOUT}.get(target, {"order": "NW-10021"})
    assert call(agent, target, arguments, provenance=DIRECTORY, approved=True) is Effect.DENY


def test_the_evidence_checker_reads_parcels_and_the_reply_writer_nothing():
    assert call("evidence-checker", "orders.find_parcel", {"order": "NW-10021"}) is Effect.ALLOW
    assert call("reply-writer", "orders.find_parcel", {"order": "NW-10021"}) is Effect.DENY


@pytest.mark.parametrize("target", ["orders.find_order", "orders.find_parcel", "policy.read"])
def test_triage_reads(target):
    arguments = {"name": "refund-policy"} if target == "policy.read" else {"order": "NW-10021"}
    assert call("triage", target, arguments) is Effect.ALLOW


def test_delegation_goes_downward_only():
    for slug in ("evidence-checker", "reply-writer"):
        assert say(ActionKind.DELEGATION, "triage", slug, {"task": "t"}).effect is Effect.ALLOW
        assert say(ActionKind.DELEGATION, slug, "triage", {"task": "t"}).effect is Effect.DENY


@pytest.mark.parametrize("agent", ["triage", "evidence-checker", "reply-writer"])
def test_the_team_s_agents_start_and_think_and_those_of_others_do_not(agent):
    for kind, target in ((ActionKind.RUN_START, agent), (ActionKind.MODEL_CALL, "rehearsal-large")):
        assert say(kind, agent, target).effect is Effect.ALLOW
        assert say(kind, agent, target, team="elsewhere").effect is Effect.DENY
