"""Facts: what they are made of, their digest, and that a recorded decision can be replayed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from agents.gate import Action, ActionKind, Effect
from agents.labels import Integrity, Label
from foundation.ids import uuid7
from governance.policies.evaluation import Decision
from governance.policies.facts import Facts, facts_digest, facts_of
from governance.policies.schema import PolicySchema

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
def action() -> Action:
    """A refund, as the engine asks for it."""
    return Action(
        decision=uuid7(),
        kind=ActionKind.TOOL_CALL,
        organisation=uuid7(),
        team=uuid7(),
        agent=uuid7(),
        agent_slug="triage",
        agent_version=uuid7(),
        agent_version_hash="sha256:1",
        principals=(uuid7(),),
        session=None,
        run=uuid7(),
        step=3,
        target="payments.refund",
        target_effect="effect",
        arguments={"order": "A-1", "amount_cents": 5},
        provenance={"order": Label(Integrity.UNTRUSTED, sources=frozenset({"mail"}))},
        history={"calls": 1},
    )


def test_facts_of_an_action(action: Action) -> None:
    facts = facts_of(action, now=NOW, approved=True, history={"spent": 7})

    assert (facts.agent, facts.target, facts.approved) == ("triage", "payments.refund", True)
    assert facts.history == {"calls": 1, "spent": 7}
    assert facts.teams is None, "the agent has a team, and nobody said which"
    assert facts_of(replace(action, team=None), now=NOW, approved=False, history={}).teams == ()


def test_facts_survive_their_record(action: Action) -> None:
    facts = facts_of(action, now=NOW, approved=False, history={}, teams=("desk", "finance"), sponsor="anna")

    again = Facts.from_json(json.loads(json.dumps(facts.as_json())))

    assert again == facts
    assert facts_digest(again.as_json()) == facts_digest(facts.as_json())


def test_the_digest_is_of_the_facts_and_not_of_how_they_are_written(action: Action) -> None:
    facts = facts_of(action, now=NOW, approved=False, history={})
    turned = replace(facts, arguments=dict(reversed(facts.arguments.items())))
    elsewhere = replace(facts, now=NOW.astimezone(timezone(timedelta(hours=5))))

    assert facts_digest(facts.as_json()).startswith("sha256:")
    assert facts_digest(turned.as_json()) == facts_digest(elsewhere.as_json()) == facts_digest(facts.as_json())
    assert facts_digest(facts.with_approval().as_json()) != facts_digest(facts.as_json())
    assert facts_digest(replace(facts, arguments={**facts.arguments, "amount_cents": 6}).as_json()) != facts_digest(
        facts.as_json()
    )


@pytest.mark.parametrize(
    "condition",
    [
        'context.provenance.order.integrity == "untrusted" && context.provenance.order.sources.contains("mail")',
        'context.provenance.amount_cents.integrity == "untrusted"',
        'context.provenance.amount_cents.confidentiality == "secret"',
        'context.label.integrity == "trusted"',
        "context.time.hour == 23 && context.time.weekday == 7",
        f"context.time.epoch == {int(NOW.timestamp())}",
        'context.args_json == "{\\"amount_cents\\":5,\\"order\\":\\"A-1\\"}"',
        "context.estimate == 0 && !context.environment.rehearsed && !context.approved",
        'principal in Team::"desk" && principal in Team::"finance"',
        'principal has team && principal.team == Team::"desk"',
        'principal has sponsor && principal.sponsor == Person::"anna"',
        'resource.effect == "effect" && principal.version == "sha256:1"',
        'context.currency == "EUR" && context.history.calls == 1',
    ],
)
def test_policies_see_the_facts(says: Callable[..., Decision], action: Action, condition: str) -> None:
    facts = facts_of(action, now=NOW, approved=False, history={}, teams=("desk", "finance"), sponsor="anna")
    source = f'permit (principal, action == Action::"tool_call", resource) when {{ {condition} }};'

    decision = says(facts, source)

    assert decision.effect is Effect.ALLOW, decision.reasons


def test_a_delegation_needs_the_teams_of_both(
    says: Callable[..., Decision], schema: PolicySchema, refund: Facts
) -> None:
    delegation = replace(refund, kind=ActionKind.DELEGATION, target="evidence", arguments={})
    within = 'permit (principal in Team::"desk", action == Action::"delegation", resource in Team::"finance");'

    assert says(replace(delegation, target_teams=("finance",)), within).effect is Effect.ALLOW
    assert says(replace(delegation, target_teams=("desk",)), within).effect is Effect.DENY
    assert "team, which is not known" in says(delegation, within).reasons[0]
