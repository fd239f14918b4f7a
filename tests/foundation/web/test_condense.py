"""A run of thousands of steps is drawn in few rows, and says what is folded."""

from hypothesis import given
from hypothesis import strategies as st

from foundation.web.condense import condense
from foundation.web.waterfall import MORE, Span, lay_out


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
    assert len(rows) == 199
    assert (rows[1].label, rows[1].kind, rows[1].start, rows[1].end) == ("802 earlier steps", MORE, 1, 803)
    assert rows[-1].label == "call 999"


def long_run() -> list[Span]:
    return [span(number, int(number > 0), f"call {number}") for number in range(1000)]


def test_what_is_not_drawn_is_reached_part_by_part_and_none_is_left_out():
    drawn, before, pages = list[str](), "", 0
    while True:
        rows = condense(long_run(), 200, before=before)
        drawn = [row.key for row in rows[1:] if row.kind != MORE] + drawn
        pages += 1
        if rows[1].kind != MORE:
            break
        before = rows[1].key
    assert {*drawn} == {str(number) for number in range(1, 1000)}
    assert pages == 6


def test_the_way_back_leads_to_the_newest():
    rows = condense(long_run(), 200, before="300")
    assert [row.label for row in (rows[1], rows[2], rows[-2], rows[-1])] == [
        "102 earlier steps", "call 103", "call 299", "700 later steps",
    ]  # fmt: skip
    keys = []
    while rows[-1].kind == MORE:
        keys.append(rows[-1].key)
        rows = condense(long_run(), 200, before=rows[-1].key)
    assert keys == ["497", "694", "891", ""]
    assert rows[-1].label == "call 999"


def test_a_step_that_is_wanted_is_drawn():
    for wanted in ("1", "2", "400", "801", "999"):
        assert wanted in [row.key for row in condense(long_run(), 200, wanted=wanted) if row.kind != MORE], wanted
    assert condense(long_run(), 200, wanted="nothing") == condense(long_run(), 200)


def test_time_whose_steps_are_not_drawn_is_no_wait():
    folds = lay_out(condense(long_run(), 200, before="500")).folds
    assert [fold.label for fold in folds] == ["5m 2s", "8m 20s"]


@given(
    st.lists(st.builds(span, st.integers(0, 99), st.integers(1, 5), st.sampled_from("abc")), max_size=80),
    st.integers(4, 30),
)
def test_it_never_exceeds_the_number_of_rows(spans: list[Span], most: int):
    assert len(condense([span(0, 0, "Desk"), *spans], most)) <= most


def test_a_row_of_alike_is_open_where_it_holds_the_wanted_one():
    spans = [span(0, 0, "Desk"), *[span(number) for number in range(1, 7)],
             *[span(number, 1, "mail.send") for number in range(7, 30)]]  # fmt: skip
    assert [row.key for row in condense(spans, 10, wanted="4")] == ["0", "1", "2", "3", "4", "5", "6", "7"]
    assert [row.key for row in condense(spans, 10, wanted="1")] == ["0", "1", "7"], "it is the row of all"
    assert [row.key for row in condense(spans, 10)] == ["0", "1", "7"]


def test_so_is_a_sub_agent_and_what_is_above_it():
    first = [span(1, 1, "Checker"), *[span(n, 2, f"call {n}") for n in range(2, 9)]]
    second = [span(9, 1, "Writer"), span(10, 2, "Reader"), *[span(n, 3, f"call {n}") for n in range(11, 14)]]
    rows = condense([span(0, 0, "Desk"), *first, *second, span(14, 1, "mail")], 8, wanted="12")
    assert [row.key for row in rows] == ["0", "1", "9", "10", "11", "12", "13", "14"]
    assert (rows[1].note, rows[2].note) == ("7 steps", "")


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("ab")), min_size=1, max_size=60), st.data())
def test_the_wanted_one_is_always_drawn(told: list[tuple[int, str]], data: st.DataObject):
    spans = [span(0, 0, "Desk"), *[span(number, depth, label) for number, (depth, label) in enumerate(told, 1)]]
    wanted = data.draw(st.sampled_from(spans)).key
    rows = condense(spans, 10, wanted=wanted)
    assert len(rows) <= 10
    assert wanted in {row.key for row in rows if row.kind != MORE}
