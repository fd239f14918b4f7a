"""Whatever callers hand over is stored, and has one canonical form that two implementations agree on."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from foundation.audit.canonical import canonical
from foundation.audit.plain import instant, plain, plain_text

texts = st.text(st.characters(), max_size=20)  # surrogates and NUL too
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_two_canonical_forms_agree(value):
    small = plain(value)
    assert canonical(small) == rfc8785.dumps(small)
    assert json.loads(canonical(small)) == small


@given(values)
def test_bodies_keep_fractions_and_can_be_written(value):
    body = plain(value, fractions=True)
    assert "\x00" not in rfc8785.dumps(body).decode()
    assert rfc8785.dumps(json.loads(json.dumps(body))) == rfc8785.dumps(body)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53, "9007199254740992"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        ({"b", "a"}, ["a", "b"]),
        ((1, True), [1, True]),
        ({1: None}, {"1": None}),
        ("a\x00b\ud800", "a\ufffdb?"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05.000006Z"),
    ],
)
def test_what_becomes_of_values(value, expected):
    assert plain(value) == expected


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="object"):
        plain({"x": object()})
    with pytest.raises(TypeError):
        canonical(1.5)


def test_keys_sort_by_utf_16():
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_instants_are_always_written_alike():
    assert instant(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"
    assert plain_text("ok") == "ok"
