"""Tool arguments: from JSON Schema to Cedar and back through a real request."""

import contextlib
import json
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.policies.schema import PolicyTool, build_schema
from governance.policies.shapes import LONGEST, Record, Scalar, SetOf, UnfitError, arguments_of, cedar_type, project

NAMES = st.sampled_from(["amount", "note-text", "größe", "if", "a b", "type", "x"])
LEAVES = st.sampled_from(
    [
        ({"type": "integer"}, st.integers(-LONGEST, LONGEST)),
        ({"type": "number"}, st.integers(-(10**9), 10**9).map(lambda value: value / 10_000)),
        ({"type": "string"}, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
        ({"type": "boolean"}, st.booleans()),
        ({"enum": ["low", "high"]}, st.sampled_from(["low", "high"])),
        ({"enum": [1, 2]}, st.sampled_from([1, 2])),
        ({"const": True}, st.just(True)),
        ({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string"}]}, st.text("ab", max_size=3)),
    ]
)
Pair = tuple[dict[str, Any], st.SearchStrategy[Any]]


def array(pair: Pair) -> Pair:
    """An array of it."""
    schema, values = pair
    return {"type": "array", "items": schema}, st.lists(values, max_size=3)


def record(parts: dict[str, tuple[Pair, bool]]) -> Pair:
    """An object of these properties, each required or not."""
    schema = {
        "type": "object",
        "properties": {name: pair[0] for name, (pair, _) in parts.items()},
        "required": [name for name, (_, required) in parts.items() if required],
    }
    sure = {name: pair[1] for name, (pair, required) in parts.items() if required}
    maybe = {name: pair[1] for name, (pair, required) in parts.items() if not required}
    return schema, st.fixed_dictionaries(sure, optional=maybe)


def objects(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """Objects of anything."""
    return st.dictionaries(NAMES, st.tuples(inner, st.booleans()), min_size=1, max_size=4).map(record)


TYPED = objects(st.recursive(LEAVES, lambda inner: inner.map(array) | objects(inner), max_leaves=6))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), pair=TYPED)
def test_every_valid_value_passes_cedars_own_check(data: st.DataObject, pair: Pair) -> None:
    schema, values = pair
    value = data.draw(values)
    shape = arguments_of(schema)
    cedar = {
        "": {
            "entityTypes": {"A": {}},
            "actions": {
                "do": {
                    "appliesTo": {
                        "principalTypes": ["A"],
                        "resourceTypes": ["A"],
                        "context": {"type": "Record", "attributes": {"args": cedar_type(shape)}},
                    }
                }
            },
        }
    }
    thing = {"type": "A", "id": "a"}
    request = {
        "principal": thing,
        "action": {"type": "Action", "id": "do"},
        "resource": thing,
        "context": json.dumps({"args": project(value, shape)}),
    }
    present = " && ".join(["true", *(f"context.args has {json.dumps(name, ensure_ascii=False)}" for name in value)])

    result = cedarpy.is_authorized(
        request, f"permit (principal, action, resource) when {{ {present} }};", [], schema=cedar
    )

    assert result.diagnostics.errors == []
    assert result.allowed


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner),
    max_leaves=8,
)
WORDS = ["type", "properties", "required", "items", "anyOf", "enum", "$ref", "$defs", "allOf", "const"]
hostile = st.recursive(
    json_values | st.sampled_from(["object", "array", "string", "#/$defs/a", "#"]),
    lambda inner: st.dictionaries(st.sampled_from([*WORDS, "a", "__extn"]), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(schema=st.dictionaries(st.sampled_from(WORDS), hostile), value=st.dictionaries(st.text(max_size=5), json_values))
@pytest.mark.slow
def test_a_strangers_schema_breaks_nothing(schema: dict[str, Any], value: dict[str, Any]) -> None:
    built = build_schema([PolicyTool("stranger.tool", schema)], [], [])

    assert str(built.handle)
    with contextlib.suppress(UnfitError):
        project(value, built.tools["stranger.tool"].shape)


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ({"type": "integer"}, Scalar.LONG),
        ({"type": ["string", "null"]}, Scalar.STRING),
        ({"type": ["string", "integer"]}, None),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, Scalar.LONG),
        ({"allOf": [{"$ref": "#/$defs/money"}]}, Scalar.LONG),
        ({"$ref": "#/$defs/loop"}, None),
        ({"$ref": "https://elsewhere.example/schema"}, None),
        ({"enum": ["a", 1]}, None),
        ({"enum": [True, False]}, Scalar.BOOL),
        ({"type": "array", "items": {"type": "string"}}, SetOf(Scalar.STRING)),
        ({"type": "array", "items": {"type": ["string", "null"]}}, None),
        ({"type": "array"}, None),
        ({"type": "object"}, None),
        ({}, None),
        (True, None),
    ],
)
def test_shapes(schema: Any, shape: Any) -> None:
    tool = {
        "properties": {"it": schema},
        "required": ["it"],
        "$defs": {"money": {"type": "integer"}, "loop": {"$ref": "#/$defs/loop"}},
    }

    member = arguments_of(tool).members.get("it")

    assert (member.shape if member else None) == shape


def test_what_may_be_null_is_optional_and_null_is_absent() -> None:
    shape = arguments_of({"properties": {"note": {"type": ["string", "null"]}}, "required": ["note"]})

    assert not shape.members["note"].required
    assert project({"note": None}, shape) == {}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (2**63, Scalar.LONG),
        (True, Scalar.LONG),
        (1.5, Scalar.LONG),
        (0.00001, Scalar.DECIMAL),
        (1e300, Scalar.DECIMAL),
        (float("inf"), Scalar.DECIMAL),
        (float("nan"), Scalar.DECIMAL),
        (1, Scalar.STRING),
        ({"__extn": {"fn": "decimal", "arg": "1.0"}}, Scalar.STRING),
        ("abc", SetOf(Scalar.STRING)),
        ([], Record()),
    ],
)
def test_values_that_no_policy_can_judge(value: Any, shape: Any) -> None:
    with pytest.raises(UnfitError):
        project(value, shape)


def test_names_that_would_forge_values_are_left_out() -> None:
    shape = arguments_of(
        {"properties": {"__extn": {"type": "string"}, "in": {"type": "object", "properties": {"__entity": {}}}}}
    )

    assert shape == Record()
