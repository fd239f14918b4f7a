"""What holds for every set of policies and every act, whatever they are."""

import string
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gate import ActionKind, Effect
from agents.labels import Integrity, Label
from governance.policies.compiled import Mode, PolicyText, compile_policies
from governance.policies.evaluation import Decision, decide
from governance.policies.facts import Facts
from governance.policies.schema import PolicySchema

LAXITY = {Effect.DENY: 0, Effect.ASK: 1, Effect.ALLOW: 2}
HEADS = {
    "permit": "permit",
    "forbid": "forbid",
    "ask": '@ask("Do it?") @approvers("refund-approver") forbid',
}
SCOPES = [
    "principal, action, resource",
    'principal == Agent::"triage", action, resource',
    'principal in Team::"desk", action in Action::"tool_call", resource is Tool',
    'principal, action == Action::"tool_call", resource == Tool::"payments.refund"',
    'principal, action == Action::"payments.refund", resource in Connector::"payments"',
    'principal == Agent::"evidence", action, resource',
    'principal, action == Action::"tool_call", resource == Tool::"payments.payout"',
    'principal, action == Action::"model_call", resource',
]
CONDITIONS = [
    "true",
    "false",
    "context.args has amount_cents && context.args.amount_cents > 50000",
    'context.label.integrity == "untrusted"',
    "context.time.weekday > 5",
    'context has provenance.order && context.provenance.order.integrity == "trusted"',
]
FAILING = "context.history.target_calls > 5"


def source(head: str, scope: str, condition: str) -> str:
    """A policy of these parts; an ask yields to an approval."""
    end = " unless { context.approved }" if head == "ask" else ""
    return f"{HEADS[head]} ({scope}) when {{ {condition} }}{end};"


def sources(*heads: str, conditions: list[str] = CONDITIONS) -> st.SearchStrategy[list[str]]:
    """Any few policies with these heads."""
    parts = st.builds(source, st.sampled_from(heads), st.sampled_from(SCOPES), st.sampled_from(conditions))
    return st.lists(parts, max_size=6)


ANY = sources("permit", "forbid", "ask")
ANY_OR_FAILING = sources("permit", "forbid", "ask", conditions=[*CONDITIONS, FAILING])
ACTS = st.builds(
    Facts,
    kind=st.sampled_from([ActionKind.TOOL_CALL, ActionKind.MODEL_CALL]),
    agent=st.sampled_from(["triage", "evidence", "stranger"]),
    agent_version=st.just("sha256:1"),
    target=st.sampled_from(["payments.refund", "payments.payout", "unheard.of"]),
    target_effect=st.just("effect"),
    now=st.datetimes(timezones=st.timezones()),
    approved=st.booleans(),
    arguments=st.fixed_dictionaries(
        {"order": st.text(string.printable, max_size=5), "amount_cents": st.integers(0, 100_000)}
    ),
    label=st.builds(Label, integrity=st.sampled_from(Integrity)),
    history=st.just({"calls": 1, "spent": 0}),
    teams=st.sampled_from([(), ("desk",), ("desk", "finance"), None]),
)
examples = settings(max_examples=150, deadline=None)


def decided(schema: PolicySchema, facts: Facts, texts: list[str], logged: tuple[str, ...] = ()) -> Decision:
    """The decision of enforced and logged sources."""
    policies = [PolicyText(f"policy-{at}", 1, text) for at, text in enumerate(texts)]
    policies += [PolicyText(f"logged-{at}", 1, text, Mode.LOG_ONLY) for at, text in enumerate(logged)]
    return decide(compile_policies(policies, schema), facts)


@examples
@given(texts=ANY_OR_FAILING, facts=ACTS)
def test_a_plain_forbid_wins_over_anything(schema: PolicySchema, texts: list[str], facts: Facts) -> None:
    assert decided(schema, facts, [*texts, "forbid (principal, action, resource);"]).effect is Effect.DENY


@examples
@given(texts=sources("forbid", "ask"), facts=ACTS)
def test_without_a_permit_nobody_is_asked(schema: PolicySchema, texts: list[str], facts: Facts) -> None:
    assert decided(schema, facts, texts).effect is Effect.DENY


@examples
@given(texts=ANY_OR_FAILING, more=sources("forbid", "ask", conditions=[*CONDITIONS, FAILING]), facts=ACTS)
def test_another_forbid_never_loosens(schema: PolicySchema, texts: list[str], more: list[str], facts: Facts) -> None:
    before, after = decided(schema, facts, texts), decided(schema, facts, texts + more)

    assert LAXITY[after.effect] <= LAXITY[before.effect]


@examples
@given(texts=ANY, head=st.sampled_from(["permit", "forbid", "ask"]), facts=ACTS)
def test_an_error_never_allows(schema: PolicySchema, texts: list[str], head: str, facts: Facts) -> None:
    failing = source(head, "principal, action, resource", FAILING)

    assert decided(schema, facts, [*texts, failing]).effect is Effect.DENY


@examples
@given(texts=ANY, logged=ANY_OR_FAILING, facts=ACTS)
def test_a_logged_policy_changes_nothing(
    schema: PolicySchema, texts: list[str], logged: list[str], facts: Facts
) -> None:
    alone, beside = decided(schema, facts, texts), decided(schema, facts, texts, logged=tuple(logged))

    assert replace(beside, shadow=None) == alone


@examples
@given(texts=ANY_OR_FAILING, facts=ACTS)
def test_what_is_asked_about_would_be_allowed(schema: PolicySchema, texts: list[str], facts: Facts) -> None:
    decision = decided(schema, facts, texts)

    assert (decision.obligation is not None) is (decision.effect is Effect.ASK)
    assert decision.reasons, "every decision has a reason"
    if decision.effect is Effect.ASK:
        assert not facts.approved, "nobody is asked twice"
        assert decided(schema, facts.with_approval(), texts).effect is Effect.ALLOW


@examples
@given(texts=ANY_OR_FAILING, facts=ACTS, order=st.randoms())
def test_the_order_of_policies_does_not_matter(
    schema: PolicySchema, texts: list[str], facts: Facts, order: Random
) -> None:
    shuffled = order.sample(texts, len(texts))

    assert decided(schema, facts, shuffled).effect is decided(schema, facts, texts).effect


@examples
@given(texts=ANY, facts=ACTS.map(lambda facts: replace(facts, agent="triage", target="payments.refund")))
def test_policies_about_others_do_not_matter(schema: PolicySchema, texts: list[str], facts: Facts) -> None:
    others = [source("forbid", scope, FAILING) for scope in SCOPES[5:7]]
    tool_call = replace(facts, kind=ActionKind.TOOL_CALL)

    assert decided(schema, tool_call, texts + others) == decided(schema, tool_call, texts)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@examples
@given(arguments=st.dictionaries(st.sampled_from(["order", "amount_cents", "note", "__extn", "x"]), json_values))
def test_no_arguments_raise_and_none_pass_for_others(
    schema: PolicySchema, refund: Facts, arguments: dict[str, object]
) -> None:
    act = replace(refund, arguments=arguments)
    texts = [
        source("permit", "principal, action, resource", "true"),
        source("forbid", SCOPES[3], "context.args.amount_cents != 7"),
    ]

    allowed = decided(schema, act, texts).effect is Effect.ALLOW

    assert not allowed or (arguments["amount_cents"] == 7 and not isinstance(arguments["amount_cents"], bool))
