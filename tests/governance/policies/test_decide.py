"""The refund desk's decisions."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from agents.gate import ActionKind, Determinant, Effect, Obligation
from governance.policies.compiled import Mode, PolicyText, compile_policies
from governance.policies.evaluation import Decision, decide
from governance.policies.facts import Facts
from governance.policies.schema import PolicySchema, PolicyTool, build_schema

Says = Callable[..., Decision]
OfCents = Callable[[int], Facts]


@pytest.mark.parametrize("cents", [1, 49_999, 50_000])
def test_up_to_500_euros_is_allowed(says: Says, of_cents: OfCents, desk: tuple[str, ...], cents: int) -> None:
    decision = says(of_cents(cents), *desk)

    assert decision.effect is Effect.ALLOW
    assert decision.determinants == (Determinant("policy-0", 2, "permit"),)
    assert decision.reasons == ("Policy policy-0/may-refund (version 2) permits this",)
    assert decision.obligation is None


def test_over_500_euros_a_person_is_asked(says: Says, of_cents: OfCents, desk: tuple[str, ...]) -> None:
    decision = says(of_cents(50_001), *desk)

    assert decision.effect is Effect.ASK
    assert decision.determinants == (Determinant("policy-1", 2, "forbid"),)
    assert decision.reasons == ("Policy policy-1/large-refund (version 2) asks people first",)
    assert decision.obligation == Obligation(
        approvers=("refund-approver",),
        quorum=1,
        expires_in=86_400,
        question="Refund 50001 cents for order A-1001?",
        risk="high",
    )


def test_payout_is_denied(says: Says, refund: Facts, desk: tuple[str, ...]) -> None:
    payout = replace(refund, target="payments.payout", arguments={"account": "DE00", "amount_cents": 1})
    everything = "permit (principal, action, resource);"

    decision = says(payout, *desk, everything)

    assert decision.effect is Effect.DENY
    assert decision.reasons == ("Policy policy-2/never-payout (version 2) forbids it",)


def test_without_a_permit_it_is_denied_and_nobody_is_asked(
    says: Says, of_cents: OfCents, desk: tuple[str, ...]
) -> None:
    for cents in (1, 60_000):
        decision = says(of_cents(cents), *desk[1:])
        assert decision.effect is Effect.DENY
        assert decision.reasons == ("No policy permits this",)


def test_without_any_policy_it_is_denied(says: Says, refund: Facts) -> None:
    assert says(refund).effect is Effect.DENY
    assert says(refund).reasons == ("No policy permits this",)


def test_approved_it_is_allowed(says: Says, of_cents: OfCents, desk: tuple[str, ...]) -> None:
    assert says(of_cents(60_000).with_approval(), *desk).effect is Effect.ALLOW


def test_approved_but_forbidden_elsewhere_it_is_denied(says: Says, of_cents: OfCents, desk: tuple[str, ...]) -> None:
    limit = (
        'forbid (principal, action, resource == Tool::"payments.refund") when { context.args.amount_cents > 90000 };'
    )

    approved = says(of_cents(95_000).with_approval(), *desk, limit)
    asked = says(of_cents(95_000), *desk, limit)

    assert approved.effect is asked.effect is Effect.DENY
    assert approved.reasons == asked.reasons == ("Policy policy-3 (version 2) forbids it",)


def test_all_asks_are_joined(says: Says, of_cents: OfCents, desk: tuple[str, ...]) -> None:
    untrusted = """
    @ask("Untrusted?") @approvers("security, refund-approver") @quorum("2") @expires("30m") @risk("critical")
    forbid (principal, action in Action::"tool_call", resource)
    when { context.label.integrity == "trusted" } unless { context.approved };
    """

    obligation = says(of_cents(60_000), *desk, untrusted).obligation

    assert obligation is not None
    assert obligation.approvers == ("refund-approver", "security")
    assert (obligation.quorum, obligation.expires_in, obligation.risk) == (2, 1_800, "critical")
    assert obligation.question == "Refund 60000 cents for order A-1001?"


def test_a_policy_that_fails_denies(says: Says, refund: Facts, desk: tuple[str, ...]) -> None:
    failing = (
        'forbid (principal, action, resource == Tool::"payments.refund") when { context.history.target_calls > 5 };'
    )

    decision = says(replace(refund, history={"calls": 1, "spent": 1}), *desk, failing)

    assert decision.effect is Effect.DENY
    assert decision.reasons[0].startswith("Policy policy-3 (version 2) could not be evaluated, so this is refused: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"estimate": None}, "Nobody knows what this can cost"),
        ({"arguments": {"order": "A-1", "amount_cents": "9 € "}}, "argument amount_cents, whose value does not fit"),
        ({"arguments": {"order": "A-1", "amount_cents": 2**64}}, "argument amount_cents, whose value does not fit"),
        ({"arguments": {"order": "A-1", "amount_cents": 2**62}}, "could not be asked"),
        ({"arguments": {"order": "A-1"}}, "could not be evaluated"),
        ({"arguments": {"order": "\ud800", "amount_cents": 1}}, "could not be asked"),
        ({"arguments": {"order": "A-1", "amount_cents": 1, "extra": float("nan")}}, "could not be asked"),
        ({"target": "payments.steal"}, "No policy permits this"),
        ({"agent": "stranger"}, "No policy permits this"),
        ({"kind": ActionKind.MODEL_CALL, "target": "clerk-model"}, "No policy permits this"),
    ],
)
def test_doubt_denies(says: Says, refund: Facts, desk: tuple[str, ...], change: dict[str, object], reason: str) -> None:
    decision = says(replace(refund, **change), *desk)

    assert decision.effect is Effect.DENY
    assert reason in decision.reasons[0]


def test_an_unknown_tool_is_denied_even_where_everything_is_permitted(says: Says, refund: Facts) -> None:
    decision = says(replace(refund, target="payments.steal"), "permit (principal, action, resource);")

    assert decision.effect is Effect.DENY
    assert "do not know a tool called payments.steal" in decision.reasons[0]


def test_unknown_teams_deny_where_a_policy_speaks_of_teams(says: Says, refund: Facts, desk: tuple[str, ...]) -> None:
    stopped = 'forbid (principal in Team::"finance", action, resource);'

    assert says(refund, *desk, stopped).effect is Effect.ALLOW
    assert says(replace(refund, teams=("desk", "finance")), *desk, stopped).effect is Effect.DENY
    unknown = says(replace(refund, teams=None), *desk, stopped)
    assert unknown.effect is Effect.DENY
    assert "the agent's team, which is not known" in unknown.reasons[0]
    assert says(replace(refund, teams=None), *desk).effect is Effect.ALLOW, "nothing speaks of teams"


def test_an_unfit_argument_that_nobody_reads_is_no_matter(says: Says, refund: Facts, desk: tuple[str, ...]) -> None:
    precise = replace(refund, arguments={**refund.arguments, "rate": 0.123456})
    whole = 'forbid (principal, action, resource == Tool::"payments.refund") when { context.args == context.args };'
    guarded = """forbid (principal, action, resource == Tool::"payments.refund")
    when { context.args has rate && context.args.rate.greaterThan(decimal("0.5")) };"""

    assert says(precise, *desk).effect is Effect.ALLOW
    assert "argument rate" in says(precise, *desk, guarded).reasons[0]
    assert "argument rate" in says(precise, *desk, whole).reasons[0]
    assert says(replace(refund, arguments={**refund.arguments, "rate": 0.75}), *desk, guarded).effect is Effect.DENY
    assert says(replace(refund, arguments={**refund.arguments, "rate": 0.25}), *desk, guarded).effect is Effect.ALLOW


NESTED = {
    "type": "object",
    "properties": {
        "amount": {"type": ["integer", "string"]},
        "order": {"type": "object", "properties": {"lines": {"type": "integer"}, "total": {}}},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
}


@pytest.mark.parametrize(
    ("condition", "arguments", "named"),
    [
        ("context.args has amount && context.args.amount > 5", {"amount": 9}, "amount"),
        ("context.args has amount", {"amount": "9"}, "amount"),
        ("context.args has limit && context.args.limit > 5", {"limit": 9}, "limit"),
        ("context.args has order && context.args.order has total", {"order": {"total": 9}}, "order.total"),
        ("context.args has order.total", {"order": {"lines": 1, "total": 9}}, "order.total"),
        ("context has args.amount", {"amount": 9}, "amount"),
    ],
)
def test_an_argument_that_has_no_type_is_doubt_where_a_policy_looks_for_it(
    condition: str, arguments: dict[str, object], named: str, refund: Facts
) -> None:
    """Otherwise the policy would not see what is there, and `has` would say that it is not: a forbid would be lost."""
    schema = build_schema([PolicyTool("payments.refund", NESTED)], models=[], agents=["triage"])
    texts = [
        PolicyText("may", 1, "permit (principal, action, resource);"),
        PolicyText("limit", 1, f'forbid (principal, action in Action::"tool_call", resource) when {{ {condition} }};'),
    ]
    compiled = compile_policies(texts, schema)

    decision = decide(compiled, replace(refund, arguments=arguments))

    assert decision.effect is Effect.DENY
    assert f"argument {named}, " in decision.reasons[0]
    for absent in ({}, {named.partition(".")[0]: None}, {"order": {"lines": 1}}, {"lines": [{"sku": "a", "total": 9}]}):
        assert decide(compiled, replace(refund, arguments=absent)).effect is Effect.ALLOW, absent


SKU = '{sku: "a"}'


@pytest.mark.parametrize(
    ("permitted", "forbidden", "arguments", "named"),
    [
        ("true", f"context.args has lines && context.args.lines.contains({SKU})",
         {"lines": [{"sku": "b", "total": 9}]}, "the argument lines"),
        (f"context.args has lines && context.args.lines == [{SKU}]", "false",
         {"lines": [{"sku": "a"}, {"sku": "a", "total": 9}]}, "the argument lines"),
        (f"context.args has lines && context.args.lines.containsAny([{SKU}])", "false",
         {"lines": [{"sku": "a", "undeclared": 1}]}, "the argument lines"),
        ("true", f"context.args has lines && ![{SKU}].containsAll(context.args.lines)",
         {"lines": [{"sku": "a", "tags": [{"x": 1}]}]}, "the argument lines"),
        ("true", "context.args has order && context.args.order == {lines: 1}",
         {"order": {"lines": 1, "total": 9}}, "the argument order"),
        ("true", "(if context.approved then {lines: 1} else context.args.order).lines > 5",
         {"order": {"lines": 1, "total": 9}}, "the argument order"),
        ("context.args == {}", "false", {"amount": 9}, "all arguments together"),
    ],
)  # fmt: skip
def test_what_is_taken_whole_and_holds_something_without_a_type_is_doubt(
    permitted: str, forbidden: str, arguments: dict[str, object], named: str, refund: Facts
) -> None:
    """Without that part it would be taken for something else: in objects, in sets, and in objects in sets."""
    schema = build_schema([PolicyTool("payments.refund", NESTED)], models=[], agents=["triage"])
    texts = [
        PolicyText("may", 1, f"permit (principal, action, resource) when {{ {permitted} }};"),
        PolicyText("not", 1, f"forbid (principal, action, resource) when {{ {forbidden} }};"),
    ]
    compiled = compile_policies(texts, schema)

    decision = decide(compiled, replace(refund, arguments=arguments))

    assert decision.effect is Effect.DENY
    assert f"Policies read {named}, part of which has no type" in decision.reasons[0]


@pytest.mark.parametrize(
    "arguments",
    [{"lines": [{"sku": "a"}], "amount": 9}, {"lines": [{"sku": "a", "total": None}, {"sku": "b"}], "extra": {"x": 1}},
     {"lines": [{"sku": "a"}], "order": {"lines": 1, "total": 9}}],
)  # fmt: skip
def test_what_no_policy_takes_whole_is_no_doubt(arguments: dict[str, object], refund: Facts) -> None:
    schema = build_schema([PolicyTool("payments.refund", NESTED)], models=[], agents=["triage"])
    source = (
        f"permit (principal, action, resource) when {{ context.args.lines.contains({SKU}) &&"
        " (!(context.args has order) || context.args.order.lines == 1) };"
    )
    decision = decide(compile_policies([PolicyText("may", 1, source)], schema), replace(refund, arguments=arguments))
    assert decision.effect is Effect.ALLOW, decision.reasons


def test_a_logged_policy_is_reported_and_not_obeyed(says: Says, refund: Facts, desk: tuple[str, ...]) -> None:
    decision = says(refund, *desk, logged=["forbid (principal, action, resource);"])

    assert decision.effect is Effect.ALLOW
    assert decision.shadow is not None
    assert decision.shadow.effect is Effect.DENY
    assert decision.shadow.reasons == ("Policy logged-0 (version 1) forbids it",)
    assert says(refund, *desk).shadow is None


def test_a_policy_that_is_off_is_not_asked(schema: PolicySchema, refund: Facts) -> None:
    texts = [
        PolicyText("all", 1, "permit (principal, action, resource);"),
        PolicyText("none", 1, "forbid (principal, action, resource);", Mode.OFF),
    ]

    decision = decide(compile_policies(texts, schema), refund)

    assert (decision.effect, decision.shadow) == (Effect.ALLOW, None)


def test_any_tool_call_any_connector_and_other_acts(says: Says, refund: Facts) -> None:
    any_call = 'permit (principal, action == Action::"tool_call", resource);'
    connector = 'permit (principal, action in Action::"tool_call", resource in Connector::"payments");'
    model = replace(refund, kind=ActionKind.MODEL_CALL, target="clerk-model", arguments={})
    delegation = replace(refund, kind=ActionKind.DELEGATION, target="evidence", arguments={})
    start = replace(refund, kind=ActionKind.RUN_START, target="triage", arguments={})

    assert says(refund, any_call).effect is Effect.ALLOW
    assert says(refund, connector).effect is Effect.ALLOW
    assert says(model, any_call).effect is Effect.DENY
    assert says(model, 'permit (principal, action == Action::"model_call", resource);').effect is Effect.ALLOW
    assert (
        says(delegation, 'permit (principal, action == Action::"delegation", resource == Agent::"evidence");').effect
        is Effect.ALLOW
    )
    assert says(start, 'permit (principal, action == Action::"run_start", resource);').effect is Effect.ALLOW
