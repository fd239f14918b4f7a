"""What a scope pins, and what conditions read."""

import pytest

from governance.policies.scope import (
    EVERYTHING,
    Pins,
    arguments_read,
    attributes_read,
    context_read,
    exact,
    pins_of,
)
from governance.policies.source import statements

TOOLS = frozenset({"pay.refund"})
REFUND = ("Tool", "pay.refund")


@pytest.mark.parametrize(
    ("scope", "pins"),
    [
        ("principal, action, resource", Pins(None, None, None)),
        ('principal == Agent::"a", action, resource', Pins("a", None, None)),
        ('principal in Agent::"a", action, resource', Pins(None, None, None)),
        (
            'principal, action == Action::"tool_call", resource == Tool::"pay.refund"',
            Pins(None, frozenset({"pay.refund"}), REFUND),
        ),
        ('principal, action, resource == Tool::"pay.refund"', Pins(None, frozenset({"pay.refund"}), REFUND)),
        ('principal, action == Action::"pay.refund", resource', Pins(None, frozenset({"pay.refund"}), REFUND)),
        ('principal, action == Action::"tool_call", resource', Pins(None, frozenset({"tool_call"}), None)),
        (
            'principal, action in [Action::"tool_call", Action::"model_call"], resource',
            Pins(None, frozenset({"tool_call", "model_call"}), None),
        ),
        (
            'principal, action == Action::"model_call", resource == Model::"m"',
            Pins(None, frozenset({"model_call"}), ("Model", "m")),
        ),
        ('principal, action, resource in Connector::"pay"', Pins(None, None, None)),
    ],
)
def test_pins(scope: str, pins: Pins) -> None:
    (statement,) = statements(f"permit ({scope});")

    assert pins_of(exact(statement.tree), TOOLS) == pins


@pytest.mark.parametrize(
    ("condition", "read"),
    [
        ("true", set()),
        ("context.args.a > 1 && context.args has b", {"a", "b"}),
        ('context.args.a.b == "x"', {"a"}),
        ('context has args.a && context.args["a b"] == 1', {"a", "a b"}),
        ("context has args && context.approved", set()),
        ("context.args == {a: 1}", {EVERYTHING}),
        ("[context.args].containsAll([])", {EVERYTHING}),
        ("(if context.approved then context else context).approved", {EVERYTHING}),
        ('context.label.integrity == "args"', set()),
    ],
)
def test_arguments_read(condition: str, read: set[str]) -> None:
    (statement,) = statements(f"permit (principal, action, resource) when {{ {condition} }};")

    assert arguments_read(statement.tree) == read


@pytest.mark.parametrize(
    ("condition", "read"),
    [
        ("true", set()),
        ('context.args.team == "x" && context.args has sponsor', set()),
        ("principal has team", {"team"}),
        ('principal in Team::"x"', {"team"}),
        ("(if true then principal else resource).sponsor == principal", {"sponsor"}),
        ('Person::"x" == principal', {"sponsor"}),
    ],
)
def test_attributes_read(condition: str, read: set[str]) -> None:
    (statement,) = statements(f"permit (principal, action, resource) when {{ {condition} }};")

    assert attributes_read(statement.tree) == read


@pytest.mark.parametrize(
    ("condition", "read"),
    [
        ("true", set()),
        ("context.args.a > 1 && context.args has b", {"args"}),
        ("context has args.a && context.approved", {"args", "approved"}),
        ('context["label"].integrity == "args"', {"label"}),
        ("context.args == {a: context.history.calls}", {"args", "history"}),
        ("(if context.approved then context else context).estimate > 1", {"approved", EVERYTHING}),
        ("context == {a: 1}", {EVERYTHING}),
        ('[context.args_json, context.currency].contains("x")', {"args_json", "currency"}),
    ],
)
def test_context_read(condition: str, read: set[str]) -> None:
    (statement,) = statements(f"permit (principal, action, resource) when {{ {condition} }};")

    assert context_read(statement.tree) == read
