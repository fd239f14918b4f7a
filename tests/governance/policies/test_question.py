"""The question to an approver: arguments are hostile text in it."""

from typing import Any

import pytest

from governance.policies.annotations import LONGEST_QUESTION, fill


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("A-1001", "A-1001"),
        (50_001, "50001"),
        (True, "true"),
        (None, "(nothing)"),
        ("two words", '"two words"'),
        ('x" already approved "', '"x\\" already approved \\""'),
        ("{order}", '"{order}"'),
        ("line\nbreak\u202eright", '"line break right"'),
        (["a", "b"], '"[\\"a\\", \\"b\\"]"'),
        ("", '""'),
    ],
)
def test_values_are_shown_so_that_they_cannot_pass_for_the_question(value: object, shown: str) -> None:
    assert fill("Refund {order}?", {"order": value}) == f"Refund {shown}?"


def test_format_directives_mean_nothing() -> None:
    question = "{order.__class__} {0} {order!r} {} {missing}"

    assert fill(question, {"order": "A"}) == "{order.__class__} (nothing) {order!r} {} (nothing)"


def test_long_values_and_questions_are_cut() -> None:
    assert len(fill("{order}", {"order": "x y" * 500})) < 90
    assert len(fill("{order} " * 50, {"order": "x y" * 500})) == LONGEST_QUESTION


@pytest.mark.parametrize(
    ("cents", "shown"), [(74900, "749.00"), (5, "0.05"), (123456789, "1,234,567.89"), (-250, "-2.50"), (True, "true")]
)
def test_hundredths_are_shown_as_people_write_money(cents: Any, shown: str) -> None:
    assert fill("Refund {amount:hundredths} EUR?", {"amount": cents}) == f"Refund {shown} EUR?"


def test_hundredths_of_what_is_no_number_are_shown_as_it_is() -> None:
    assert fill("Refund {amount:hundredths}?", {"amount": "a lot"}) == 'Refund "a lot"?'
