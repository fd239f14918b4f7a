"""A question's form, from its JSON Schema to an answer that fits it."""

from typing import Any

import pytest

from agents.runs.question_forms import answer_of, form_of
from agents.runs.questions import answer_problem

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "minimum": 1, "maximum": 10},
        "share": {"type": "number"},
        "right": {"type": "boolean", "title": "It is <b>right</b>"},
        "kind": {"type": "string", "enum": ["one", "two"]},
        "place": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        "note": {"type": "string", "maxLength": 5, "description": "Short\u202etxt"},
    },
    "required": ["right", "note"],
    "additionalProperties": False,
}


def answered(**sent: str) -> dict[str, Any]:
    form = form_of(SCHEMA, sent)
    assert form.is_valid(), form.errors
    answer = answer_of(SCHEMA, form.cleaned_data)
    assert answer_problem(SCHEMA, answer) == ("", "")
    return answer


def test_values_have_the_types_of_the_schema():
    sent = answered(right="false", note="fine", amount="3", share="0.5", kind="two", place="4")
    assert sent == {"right": False, "note": "fine", "amount": 3, "share": 0.5, "kind": "two", "place": 4}


def test_what_was_left_empty_is_left_out():
    assert answered(right="true", note="x") == {"right": True, "note": "x"}


def test_what_must_be_said_stands_first_in_the_order_of_the_agent():
    assert list(form_of(SCHEMA).fields)[:2] == ["right", "note"]


@pytest.mark.parametrize(
    "sent",
    [{}, {"right": "true"}, {"right": "maybe", "note": "x"}, {"right": "true", "note": "too long"},
     {"right": "true", "note": "x", "amount": "11"}, {"right": "true", "note": "x", "kind": "three"}],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_its_field(sent: dict[str, str]):
    form = form_of(SCHEMA, sent)
    assert not form.is_valid()
    assert form.errors


def test_an_agents_words_stay_text():
    page = form_of(SCHEMA).as_p()
    assert "<b>right" not in page
    assert "\\u202e" in page
    assert "\u202e" not in page
