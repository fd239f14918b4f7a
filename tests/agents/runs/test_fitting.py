"""Whether arguments fit a schema: what is seen at once is what the library says, and never more."""

from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from agents.runs import fitting
from agents.runs.fitting import mismatch

NAMES = st.sampled_from(["amount", "note", "who", "tags"])
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object", ["string", "null"]])
PROPERTY = st.one_of(
    st.builds(lambda kind: {"type": kind}, TYPES),
    st.builds(lambda kind: {"type": kind, "description": "What it is."}, TYPES),
    st.builds(lambda least: {"type": "integer", "minimum": least}, st.integers(-2, 2)),
    st.just({"enum": ["a", 1, None]}),
    st.just({"type": "string", "pattern": "^a"}),
    st.booleans(),
)
SCHEMA = st.fixed_dictionaries(
    {"type": st.sampled_from(["object", "array"])},
    optional={
        "properties": st.dictionaries(NAMES, PROPERTY, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": st.one_of(st.booleans(), st.just({"type": "string"})),
        "minProperties": st.integers(0, 2),
        "anyOf": st.just([{"required": ["amount"]}, {"required": ["note"]}]),
        "title": st.just("A call"),
    },
)
VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.just(1.0), st.sampled_from(["", "a", "b"]),
    st.lists(st.integers(0, 1), max_size=1), st.dictionaries(NAMES, st.integers(0, 1), max_size=1),
)  # fmt: skip
ARGUMENTS = st.dictionaries(NAMES, VALUE, max_size=3)


@given(schema=SCHEMA, arguments=ARGUMENTS)
def test_it_fits_where_the_library_says_so(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert (mismatch(schema, arguments) == "") == jsonschema.Draft202012Validator(schema).is_valid(arguments)


def test_a_flat_schema_needs_no_library_where_it_fits() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"],
              "additionalProperties": False}  # fmt: skip
    assert mismatch(schema, {"amount": 1}) == ""
    known = fitting._known(schema)
    assert known.surely_fits is not None
    assert known.surely_fits({"amount": 1})
    assert not known.surely_fits({"amount": True})
    assert not known.surely_fits({})
    assert not known.surely_fits({"amount": 1, "more": 1})


def test_it_says_where_and_what() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    assert mismatch(schema, {"amount": "all"}) == ('Against the tool\'s schema, at amount: type must be "integer"')


def test_a_schema_that_cannot_be_used_refuses() -> None:
    assert "cannot be used" in mismatch({"$ref": "https://example.org/schema"}, {})
