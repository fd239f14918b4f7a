"""The quick ways to canonical JSON write what RFC 8785 says, byte by byte, and refuse what it refuses."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from foundation.digests import canonical, canonical_with

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ['a":1.5', ":12e3", ",1234567890123456", "\x1f"]
)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_is_written_as_the_standard_says(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(TEXTS, WHOLE | TEXTS | st.booleans() | st.lists(TEXTS, max_size=3), max_size=4), TEXTS, VALUES)
def test_an_object_with_a_known_member_is_written_as_the_whole(ours: dict[str, Any], name: str, member: Any) -> None:
    whole = ours | {name: member}
    assert canonical_with(whole, {name: canonical(member)}) == rfc8785.dumps(whole)


@pytest.mark.parametrize("value", [float("nan"), 2**53, {"a": [float("inf")]}, "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
        canonical(value)
