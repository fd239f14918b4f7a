"""What is taken as JSON has a bound, whatever the database makes of it."""

import json
from typing import Any

import pytest
from django.db import connection

from foundation.errors import InvalidError
from foundation.inputs import MOST_LEVELS, checked_json, is_too_deep


def nested(levels: int) -> Any:
    """So many lists in one another."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def given_back(value: Any) -> int:
    """How many bytes a value has as the database gives it back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT length(%s::jsonb::text)", [json.dumps(value)])
        found: int = cursor.fetchone()[0]
    return found


@pytest.mark.django_db
def test_numbers_count_with_all_their_digits() -> None:
    small, large = {"a": [1e308] * 30, "b": 1e-300}, {"a": [1e308] * 1_000}
    assert given_back(small) < 10_000
    assert len(json.dumps(large)) < 10_000
    assert given_back(large) > 300_000
    assert checked_json(small, 10_000, "input") == small
    with pytest.raises(InvalidError, match="exceed"):
        checked_json(large, 10_000, "input")


def test_levels_are_counted() -> None:
    assert checked_json(nested(MOST_LEVELS), 10_000, "input") == nested(MOST_LEVELS)
    assert is_too_deep(nested(MOST_LEVELS + 1))
    assert is_too_deep({"a": nested(100_000)})
    with pytest.raises(InvalidError, match="levels"):
        checked_json({"a": nested(MOST_LEVELS)}, 10_000, "input")
