"""Charts as SVG drawn by the server. Geometry stands in attributes, because the policy blocks `style`."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation.web.components.markup import NOTHING, attributes, join

NICE = (1, 2, 3, 5, 8, 10)


class Bar(NamedTuple):
    """One stacked bar: its name (for the tooltip and the table) and its parts as (tone, word, number)."""

    name: str
    parts: Sequence[tuple[str, str, int]]


class Share(NamedTuple):
    """One part of a whole: its word, the tone of its colour, its size in any unit, and the size as read."""

    word: str
    tone: str
    size: float
    shown: str


def ceiling(highest: float) -> int:
    """The next round number that holds `highest`: 1, 2, 3, 5, 8 times a power of ten."""
    step = 1
    while highest > 10 * step:
        step *= 10
    return next((nice * step for nice in NICE if nice * step >= highest), 10 * step)


def sparkline(values: Sequence[float], tone: str = "", label: str = "") -> SafeString:
    """The course of a few numbers; decoration unless a label says what it shows."""
    if len(values) < 2:  # noqa: PLR2004 - one point is no line
        return NOTHING
    low, high = min(values), max(values)
    reach = (high - low) or 1
    points = [(96 * at / (len(values) - 1), 26 - 24 * (value - low) / reach) for at, value in enumerate(values)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    named = attributes({"role": "img", "aria_label": label} if label else {"aria_hidden": "true"})
    return format_html(
        '<svg class="spark {}" viewBox="0 0 96 28" preserveAspectRatio="none"{}>'
        '<path class="area" d="{}L96 28L0 28Z"/><path d="{}"/></svg>',
        tone, named, line, line,
    )  # fmt: skip


def meter(used: float, limit: float | None, held: float = 0, label: str = "") -> SafeString:
    """How much of a limit is used, and how much more is held; red when nothing is left, amber from 85 % on."""
    if not limit or limit <= 0:
        return NOTHING
    share, more = min(1.0, used / limit), min(1.0, (used + held) / limit)
    tone = "bad" if more >= 1 else "warn" if more >= 0.85 else "model"  # noqa: PLR2004 - the share that warns
    return format_html(
        '<svg class="meter {}" role="img" aria-label="{}"><rect class="held" width="{}%" height="100%"/>'
        '<rect width="{}%" height="100%"/></svg>',
        tone, label or f"{share:.0%} used", f"{more * 100:.2f}", f"{share * 100:.2f}",
    )  # fmt: skip


def split_bar(shares: Iterable[Share], label: str) -> SafeString:
    """One bar cut by share, with a legend: where the time or the money went."""
    kept = [Share(*one) for one in shares]
    kept = [one for one in kept if one.size > 0]
    whole = sum(one.size for one in kept)
    if not whole:
        return NOTHING
    # Every share gets a visible least width; what remains is cut by size. Gaps of 0.4 % stand between.
    least, gap = 0.8, 0.4
    free = 100 - gap * (len(kept) - 1) - least * len(kept)
    x, cuts = 0.0, []
    for one in kept:
        width = least + free * one.size / whole
        cuts.append(
            format_html(
                '<rect class="{}" x="{}%" width="{}%" height="100%" rx="2"/>', one.tone, f"{x:.2f}", f"{width:.2f}"
            )
        )
        x += width + gap
    words = [
        format_html('<span class="{}"><span class="dot"></span>{} {}</span>', one.tone, one.word, one.shown)
        for one in kept
    ]
    return format_html(
        '<div class="stack"><svg class="split" role="img" aria-label="{}">{}</svg><div class="legend">{}</div></div>',
        label, join(cuts), join(words),
    )  # fmt: skip


def stacked_bars(bars: Sequence[Bar], finding: str, ends: str = "", unit: str = "", kind: str = "") -> SafeString:
    """Bars over time. `finding` is the sentence that the picture shows; the numbers are offered as a table.

    `ends` are the words under the axis, from left to right, with `|` between.
    """
    drawn = [Bar(*one) for one in bars]
    if not drawn:
        return NOTHING
    top = ceiling(max((sum(number for _, _, number in bar.parts) for bar in drawn), default=1) or 1)
    slot = 100 / len(drawn)
    groups = [_bar(bar, at * slot, slot, top) for at, bar in enumerate(drawn)]
    axis = join([format_html("<span>{}</span>", end) for end in ends.split("|")])
    most = f"{top:,} {unit}".strip()
    return format_html(
        '<figure class="chart {}"><svg role="img" aria-label="{}"><line x1="0" x2="100%" y1="1" y2="1"/>'
        '<line x1="0" x2="100%" y1="50%" y2="50%"/>{}<line x1="0" x2="100%" y1="100%" y2="100%"/>'
        '<text class="ceiling" x="100%" y="-4" text-anchor="end" aria-hidden="true">{}</text></svg>'
        '<div class="axis">{}</div><details><summary>Show as a table</summary>{}</details></figure>',
        kind, f"{finding} The upper line is {most}", join(groups), most, axis, _table(drawn, unit),
    )  # fmt: skip


def _bar(bar: Bar, x: float, slot: float, top: int) -> SafeString:
    """One bar, its parts from the floor up; the whole slot answers to the pointer."""
    level, pieces, words = 100.0, [], [bar.name]
    for tone, word, number in bar.parts:
        height = 100 * number / top
        level -= height
        words.append(f"{number:,} {word}")
        if number:
            pieces.append(
                format_html(
                    '<rect class="{}" x="{}%" y="{}%" width="{}%" height="{}%"/>',
                    tone, f"{x + slot * 0.1:.2f}", f"{level:.2f}", f"{slot * 0.8:.2f}", f"{max(height - 0.6, 0.8):.2f}",
                )
            )  # fmt: skip
    return format_html(
        '<g class="bar" data-tip="{}"><rect class="hit" x="{}%" y="0" width="{}%" height="100%"/>{}</g>',
        "\n".join(words), f"{x:.2f}", f"{slot:.2f}", join(pieces),
    )  # fmt: skip


def _table(bars: Sequence[Bar], unit: str) -> SafeString:
    words = [word for _, word, _ in bars[0].parts]
    head = join([format_html('<th class="num" scope="col">{}</th>', word.capitalize()) for word in words])
    rows = [
        format_html(
            '<tr><th scope="row">{}</th>{}</tr>',
            bar.name, join([format_html('<td class="num">{}</td>', f"{number:,}") for _, _, number in bar.parts]),
        )
        for bar in bars
    ]  # fmt: skip
    return format_html(
        '<table class="table"><caption class="vh">Numbers of the chart</caption><thead><tr><th scope="col">{}</th>{}'
        "</tr></thead><tbody>{}</tbody></table>",
        "When" if not unit else f"When ({unit})", head, join(rows),
    )  # fmt: skip
