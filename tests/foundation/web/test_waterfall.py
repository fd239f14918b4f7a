"""The elastic axis: folds where nobody works, keeps short steps visible, and does not move old bars."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.web.waterfall import FOLD_WIDTH, FOLDS_WIDTH, REACH, THINNEST, Span, lay_out


def tool(start: float, end: float | None, state: str = "succeeded") -> Span:
    return Span(start, end, 1, "orders.lookup", "tool", state)


@pytest.mark.parametrize(("working", "anchor"), [((100, 200), "start"), ((0, 4), "end")])
def test_the_label_of_a_fold_at_the_edge_stays_inside(working: tuple[float, float], anchor: str):
    (fold,) = lay_out([Span(0, 200, 0, "Desk", "agent"), tool(*working)]).folds
    assert fold.anchor == anchor
    assert fold.label_x == {"start": fold.x, "end": fold.x + fold.width}[anchor]


def test_nothing_draws_nothing():
    plan = lay_out([])
    assert (plan.rows, plan.folds, plan.ticks) == ((), (), ())


def test_without_idleness_the_axis_is_linear():
    plan = lay_out([tool(0, 2), tool(2, 6), tool(6, 10)])
    assert not plan.folds
    assert [row.x for row in plan.rows] == [0, pytest.approx(17.8), pytest.approx(53.4)]
    assert plan.rows[-1].x + plan.rows[-1].width == pytest.approx(REACH)


def test_a_long_wait_is_folded_to_a_band_of_fixed_width():
    wait = Span(4, 240, 1, "payments.refund", "tool", "waiting")
    plan = lay_out([Span(0, 250, 0, "Refund desk", "agent"), tool(0, 4), wait, tool(240, 250)])
    (fold,) = plan.folds
    assert (fold.width, fold.seconds, fold.label) == (FOLD_WIDTH, 236, "3m 56s wait")
    assert plan.rows[2].x == fold.x
    assert plan.rows[2].width == pytest.approx(fold.width)


def test_one_second_stays_wide_beside_twenty_minutes():
    plan = lay_out([tool(0, 1), tool(1201, 1202)])
    assert all(row.width > 6 for row in plan.rows)


def test_eight_seconds_of_idleness_are_not_folded():
    assert not lay_out([tool(0, 1), tool(9, 10)]).folds
    assert lay_out([tool(0, 1), tool(9.1, 10)]).folds


def test_agents_and_waits_do_not_count_as_work_but_long_work_does():
    assert lay_out([Span(0, 60, 0, "Desk", "agent"), tool(0, 1), tool(59, 60)]).folds
    assert not lay_out([Span(0, 60, 0, "Think", "model")]).folds


def test_the_tail_of_a_waiting_run_is_folded_and_does_not_squeeze():
    spans = [tool(0, 4), Span(4, None, 1, "payments.refund", "tool", "waiting")]
    early, late = lay_out(spans, now=100), lay_out(spans, now=4000)
    assert early.rows[0].width == late.rows[0].width
    assert late.rows[1].duration == "1h 6m"


def test_a_growing_run_keeps_its_bars_until_the_next_nice_bound():
    spans = [tool(0, 4), Span(4, None, 1, "Draft", "model", "running")]
    places = {lay_out(spans, now=now).rows[0].width for now in (10.2, 10.9, 11.8)}
    assert len(places) == 1


def test_ticks_are_round_labelled_apart_and_never_inside_a_fold():
    plan = lay_out([tool(0, 20), tool(257, 272)])
    (fold,) = plan.folds
    assert plan.ticks[0].x == 0
    assert plan.ticks[0].label == "0"
    assert all(not fold.x < tick.x < fold.x + fold.width for tick in plan.ticks)
    assert "4m 30s" in [tick.label for tick in plan.ticks]


spans_of_any_run = st.lists(
    st.builds(
        lambda start, length, kind, state: Span(start, None if length is None else start + length, 1, "x", kind, state),
        start=st.floats(0, 100_000),
        length=st.none() | st.floats(0, 10_000),
        kind=st.sampled_from(["model", "tool", "guard", "agent", "wait"]),
        state=st.sampled_from(["succeeded", "waiting", "running"]),
    ),
    max_size=30,
)


@given(spans_of_any_run)
def test_every_bar_stands_on_the_axis_whatever_the_run(spans: list[Span]):
    plan = lay_out(spans)
    for row in plan.rows:
        assert row.x >= -0.01
        assert row.width >= THINNEST
        assert row.x + row.width <= REACH + THINNEST + 0.02
    assert sum(fold.width for fold in plan.folds) <= FOLDS_WIDTH + 0.2
    assert len(plan.ticks) <= 60


@given(spans_of_any_run)
def test_order_in_time_is_order_on_the_axis(spans: list[Span]):
    rows = sorted(lay_out(spans).rows, key=lambda row: row.span.start)
    assert all(left.x <= right.x for left, right in pairwise(rows))
