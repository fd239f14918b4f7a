"""The refund desk's world: two tools, an agent, and acts of it as plain facts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.gate import ActionKind
from governance.policies.compiled import Mode, PolicyText, compile_policies
from governance.policies.evaluation import Decision, decide
from governance.policies.facts import Facts
from governance.policies.schema import PolicySchema, PolicyTool, build_schema

REFUND = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "amount_cents": {"type": "integer"},
        "rate": {"type": "number"},
        "note": {"type": ["string", "null"]},
        "extra": {},
    },
    "required": ["order", "amount_cents"],
}
PAYOUT = {
    "type": "object",
    "properties": {"account": {"type": "string"}, "amount_cents": {"type": "integer"}},
    "required": ["account", "amount_cents"],
}
TOOLS = [PolicyTool("payments.refund", REFUND), PolicyTool("payments.payout", PAYOUT)]

MAY_REFUND = """
@id("may-refund")
permit (principal == Agent::"triage", action == Action::"tool_call", resource == Tool::"payments.refund");
"""
LARGE_REFUND = """
@id("large-refund") @ask("Refund {amount_cents} cents for order {order}?")
@approvers("refund-approver") @quorum("1") @expires("24h") @risk("high")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.refund")
when { context.args.amount_cents > 50000 } unless { context.approved };
"""
NEVER_PAYOUT = """
@id("never-payout")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.payout");
"""


@pytest.fixture(scope="session")
def schema() -> PolicySchema:
    """The schema of the refund desk."""
    return build_schema(TOOLS, models=["clerk-model"], agents=["triage", "evidence"], teams=["desk", "finance"])


@pytest.fixture(scope="session")
def refund() -> Facts:
    """A refund of 20 €, by the triage agent."""
    return Facts(
        kind=ActionKind.TOOL_CALL,
        agent="triage",
        agent_version="sha256:1",
        target="payments.refund",
        target_effect="effect",
        now=datetime(2026, 3, 2, 14, 30, tzinfo=UTC),
        arguments={"order": "A-1001", "amount_cents": 2_000},
        history={"calls": 3, "spent": 1_000, "target_calls": 0},
        teams=("desk",),
        sponsor="anna",
    )


@pytest.fixture(scope="session")
def of_cents(refund: Facts) -> Callable[[int], Facts]:
    """The refund, of another amount."""
    return lambda cents: replace(refund, arguments={**refund.arguments, "amount_cents": cents})


@pytest.fixture(scope="session")
def says(schema: PolicySchema) -> Callable[..., Decision]:
    """What policies say of an act: `says(facts, source, ...)`; logged sources by the keyword `logged`."""

    def ask(facts: Facts, *sources: str, logged: Any = ()) -> Decision:
        texts = [PolicyText(f"policy-{number}", 2, source) for number, source in enumerate(sources)]
        texts += [PolicyText(f"logged-{number}", 1, source, Mode.LOG_ONLY) for number, source in enumerate(logged)]
        return decide(compile_policies(texts, schema), facts)

    return ask


@pytest.fixture(scope="session")
def desk() -> tuple[str, str, str]:
    """The desk's three policies."""
    return MAY_REFUND, LARGE_REFUND, NEVER_PAYOUT
