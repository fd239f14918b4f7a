"""A run of thousands of steps is drawn in few rows, and says what is folded."""

from hypothesis import given
from hypothesis import strategies as st

from foundation.web.condense import condense
from foundation.web.waterfall import Span


def span(number: int, depth: int = 1, label: str = "orders.lookup") -> Span:
    return Span(number, number + 1, depth, label, "tool", "succeeded", "", str(number))


def test_what_fits_stays_as_it_is():
    spans = [span(number) for number in range(5)]
    assert condense(spans, 5) == spans


def test_identical_neighbours_become_one_row_with_their_number():
    spans = [span(0, 0, "Desk"), *[span(number) for number in range(1, 13)], span(13, 1, "mail.send")]
    root, calls, mail = condense(spans, 5)
    assert (calls.note, calls.start, calls.end) == ("\N{MULTIPLICATION SIGN}12", 1, 13)
    assert (root.label, mail.label) == ("Desk", "mail.send")


def test_a_sub_agents_steps_fold_into_its_row():
    spans = [
        span(0, 0, "Desk"),
        span(1, 1, "Checker"),
        *[span(n, 2, f"call {n}") for n in range(2, 9)],
        span(9, 1, "mail"),
    ]
    rows = condense(spans, 4)
    assert [row.label for row in rows] == ["Desk", "Checker", "mail"]
    assert rows[1].note == "7 steps"


def test_of_what_still_does_not_fit_the_newest_are_kept():
    rows = condense([span(number, int(number > 0), f"call {number}") for number in range(1000)], 200)
    assert len(rows) == 200
    assert rows[0].note == "800 earlier steps are not drawn"
    assert rows[-1].label == "call 999"


@given(
    st.lists(st.builds(span, st.integers(0, 99), st.integers(1, 5), st.sampled_from("abc")), max_size=80),
    st.integers(2, 30),
)
def test_it_never_exceeds_the_number_of_rows(spans: list[Span], most: int):
    assert len(condense([span(0, 0, "Desk"), *spans], most)) <= most
