"""The components as functions: what they say, and that nothing of others' text becomes markup."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.template.context import Context
from django.utils.safestring import SafeString

from foundation.web.components import blocks, charts, controls, marks, markup, payloads, quantities, states, steps

NOW = datetime(2026, 11, 23, 9, 34, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)><p hx-get="/x" data-hx-get="/x">'
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("typed", "text"),
    [("20", "20 s"), ("90", "1m 30s"), ("3600", "1h"), ("86399", "23h 59m 59s"), ("90061", "1d 1h 1m 1s"), ("x", "x")],
)
def test_intervals_are_told_to_the_second(typed: str, text: str):
    assert quantities.seconds(typed) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0.42, "420 ms"),
        (2.6, "2.6 s"),
        (85, "1m 25s"),
        (236, "3m 56s"),
        (7500, "2h 5m"),
        (273_600, "3d 4h"),
    ],
)
def test_durations(seconds: float | None, text: str):
    assert quantities.duration(seconds) == text


@pytest.mark.parametrize(
    ("micro", "currency", "text"),
    [
        (None, "EUR", "—"),
        (0, "EUR", "€0.00"),
        (1_840_000_000, "EUR", "€1,840.00"),
        (91_000, "USD", "$0.091"),
        (420, "EUR", "€0.000420"),
        (-5_000_000, "CHF", "\N{MINUS SIGN}CHF 5.00"),
    ],
)
def test_money(micro: int | None, currency: str, text: str):
    assert quantities.money(micro, currency) == text


def test_counts():
    assert [quantities.count(number) for number in (None, 0, 1204, 31_700, 2_400_000)] == [
        "—",
        "0",
        "1,204",
        "31.7k",
        "2.4M",
    ]


def test_times_are_relative_in_queues_and_absolute_in_history():
    moment = NOW - timedelta(minutes=4)
    assert ">4m ago</time>" in quantities.ago(moment, NOW)
    assert 'datetime="2026-11-23T09:30:00Z"' in quantities.ago(moment, NOW)
    assert ">24m left</time>" in quantities.until(NOW + timedelta(minutes=24), NOW)
    assert ">expired</time>" in quantities.until(NOW, NOW)
    assert "09:34:00" in quantities.at(NOW, NOW)
    assert "2025" in quantities.at(datetime(2025, 1, 1, tzinfo=UTC), NOW)


def test_a_state_is_never_colour_alone():
    for state, look in states.LOOKS.items():
        shown = states.pill(state)
        assert look.word in shown
        assert f"#{look.icon}" in shown


def test_unknown_states_and_risks_say_so_and_never_look_harmless():
    assert "Something new" in states.pill("something_new")
    assert "Risk unknown" in states.risk("odd")
    assert steps.step_look("odd", "odd").word == ""


def test_an_id_copies_whole_and_shows_short():
    shown = marks.copy_id("0192f0c4-7d3a-7b1e-8c2f-1f2e3d4c5b6a", "run")
    assert 'data-copy="0192f0c4-7d3a-7b1e-8c2f-1f2e3d4c5b6a"' in shown
    assert "run_…3d4c5b6a" in shown


def test_marks_keep_their_hue_and_take_two_letters():
    assert marks.hue("a") == marks.hue("a")
    assert [marks.monogram(name) for name in ("Refund desk", "Triage", "", "éva ügynök")] == ["RD", "TR", "?", "ÉÜ"]


def test_hostile_text_stays_text_everywhere():
    for shown in (
        payloads.payload({HOSTILE: HOSTILE}),
        payloads.payload(HOSTILE),
        payloads.words_of(HOSTILE),
        payloads.diff(HOSTILE, HOSTILE + "\nmore"),
        marks.agent_mark("1", HOSTILE),
        marks.copy_text(HOSTILE),
        states.pill(HOSTILE),
        blocks.empty(markup.NOTHING, HOSTILE, HOSTILE),
        controls.button(HOSTILE, value=HOSTILE),
        charts.stacked_bars([charts.Bar(HOSTILE, [("ok", HOSTILE, 1)])], HOSTILE),
    ):
        assert "<script" not in shown
        assert "<img" not in shown
        assert "<p hx-get" not in shown


def test_characters_that_hide_or_reorder_are_written_out():
    assert markup.visible("refund\u202eexe\u200b") == "refund\\u202eexe\\u200b"
    assert "\\u202e" in payloads.payload({"to": "\u202eabc"})


def test_a_long_body_is_cut_and_says_so():
    assert "5 more characters" in payloads.payload("x" * (payloads.LONGEST + 5))


def test_what_the_policy_blocks_cannot_be_written():
    for name in ("style", "onclick", "hx_on_click"):
        with pytest.raises(ValueError, match="blocked"):
            controls.button("Go", **{name: "x"})


def test_a_disabled_button_says_why():
    shown = controls.button("Approve", "ink", why_not="You asked for this yourself")
    assert "You asked for this yourself" in shown
    assert 'aria-disabled="true"' in shown


def test_the_highest_bar_fits_under_a_round_line():
    assert [charts.ceiling(number) for number in (0.5, 7, 10, 31, 101)] == [1, 8, 10, 50, 200]


def test_a_meter_turns_amber_and_red_and_needs_a_limit():
    assert "meter model" in charts.meter(50, 100)
    assert "meter warn" in charts.meter(86, 100)
    assert "meter bad" in charts.meter(80, 100, held=20)
    assert charts.meter(1, None) == ""


def test_every_icon_named_in_code_and_templates_is_in_the_sprite():
    sprite = set(
        re.findall(r'<symbol id="([^"]+)"', (ROOT / "platform/foundation/web/static/remit/icons.svg").read_text())
    )
    named = {look.icon for look in states.LOOKS.values()} | {look.icon for look in steps.KINDS.values()}
    named |= set(blocks.BANNER_ICONS.values())
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text()
        named |= set(re.findall(r'{% icon "([^"]+)"', text))
        named |= set(re.findall(r'{% (?:button|card) "[^"]*" "[^"]*" "([a-z0-9-]+)"', text)) & _iconlike(text)
    assert named <= sprite, f"not in the sprite: {sorted(named - sprite)}"


def _iconlike(text: str) -> set[str]:
    """Third words of buttons only: a card's third word is the text of its link."""
    return set(re.findall(r'{% button "[^"]*" "[^"]*" "([a-z0-9-]+)"', text))


def test_no_template_holds_what_the_policy_blocks():
    blocked = re.compile(
        r"<[^>]*\s(style|on\w+|hx-on[^=\s]*)=|<script(?![^>]*\ssrc=)|<style|javascript:", re.IGNORECASE
    )
    for template in (ROOT / "templates").rglob("*.html"):
        assert not blocked.search(template.read_text()), template


def test_a_confirmation_says_what_happens_and_sends_what_it_is_given():
    shown = blocks.confirm(
        Context({"csrf_token": "t"}), SafeString("Stop <strong>it</strong>?"), "stop", "/stop/", "Stop the run",
        "danger", label="Stop", about=HOSTILE, why=True, name=HOSTILE,
    )  # fmt: skip
    assert 'popovertarget="stop"' in shown
    assert '<form id="stop" class="menu down end" popover method="post" action="/stop/">' in shown
    assert '<input type="hidden" name="csrfmiddlewaretoken" value="t">' in shown
    assert "Stop <strong>it</strong>?" in shown
    assert 'name="reason"' in shown
    assert "<script>" not in shown
    assert shown.index("Stop…") < shown.index("Stop the run")
    assert 'name="reason"' not in blocks.confirm(Context(), SafeString("?"), "x", "/x/", "Do it")
