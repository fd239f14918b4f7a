"""A run's steps on an elastic time axis: where nothing works for long, time is folded.

Without the fold one approval of four minutes would squeeze every step of one second into a pixel
(design, section 5.1). All positions are percents of the axis.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from foundation.web.components.quantities import duration

FOLD_AFTER = 8.0  # seconds of idleness that are folded
FOLD_WIDTH = 11.0  # percent of one fold, as long as all folds together keep below
FOLDS_WIDTH = 44.0  # this
REACH = 89.0  # percent that bars keep to, so that their labels fit to the right
THINNEST = 0.4  # percent of the shortest bar
LABEL_WIDTH = 13.0  # percent that one label of the axis takes
FEWEST_TICKS, MOST_TICKS = 2, 5
MORE = "more"  # the kind of a span that stands for steps which are not drawn
PASSIVE_KINDS = frozenset({"agent", "run", "wait", "approval", "timer", "event", MORE})
PASSIVE_STATES = frozenset({"waiting", "asked"})
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Span:
    """One step. Times are seconds since the run's start; `end` is None while it goes on.

    `kind` tells who works: model, tool, guard; agent and wait only hold others. `key` finds the step again. One that
    stands for several alike `holds` so many.
    """

    start: float
    end: float | None
    depth: int
    label: str
    kind: str
    state: str = ""
    note: str = ""
    key: str = ""
    holds: int = 1


class Fold(NamedTuple):
    """A stretch of idleness drawn as a band of fixed width; `is_wait` unless its steps are only not drawn."""

    x: float
    width: float
    seconds: float
    is_wait: bool = True

    @property
    def middle(self) -> float:
        """Half of it."""
        return round(self.x + self.width / 2, 2)

    @property
    def anchor(self) -> str:
        """Which end of its label stands at `label_x`: on a narrow screen one that is centred leaves it at the edges."""
        if self.middle < LABEL_WIDTH:
            return "start"
        return "end" if self.middle > REACH - LABEL_WIDTH else "middle"

    @property
    def label_x(self) -> float:
        """Where its label stands."""
        places = {"start": self.x, "middle": self.middle, "end": self.x + self.width}
        return round(places[self.anchor], 2)

    @property
    def label(self) -> str:
        """How long nothing happened, or how much is not drawn."""
        return f"{duration(self.seconds)} wait" if self.is_wait else duration(self.seconds)


class Tick(NamedTuple):
    """A line of the axis; the label is empty where it would meet another."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """A step with its place on the axis and how long it took (so far)."""

    span: Span
    x: float
    width: float
    seconds: float

    @property
    def label_x(self) -> float:
        """Where the duration is written: right of the bar."""
        return round(self.x + self.width + 1, 2)

    @property
    def duration(self) -> str:
        """How long it took, as people read it."""
        return duration(self.seconds)

    @property
    def indent(self) -> int:
        """Depth as drawn: deeper trees do not push their names out of sight."""
        return min(self.span.depth, 6)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Everything that the page draws, in percents."""

    rows: Sequence[Row]
    folds: Sequence[Fold]
    ticks: Sequence[Tick]


def lay_out(spans: Iterable[Span], now: float | None = None) -> Waterfall:
    """Places spans on the axis. `now` (seconds since the start) ends those that go on; without it they end last."""
    listed = list(spans)
    if not listed:
        return Waterfall((), (), ())
    last = max(
        [span.end if span.end is not None else span.start for span in listed] + ([now] if now is not None else [])
    )
    hidden = [(span.start, last if span.end is None else span.end) for span in listed if span.kind == MORE]
    axis = _Axis(_idle(listed, last), last, hidden)
    return Waterfall([_row(span, axis, last) for span in listed], axis.folds, axis.ticks())


def _row(span: Span, axis: "_Axis", last: float) -> Row:
    end = max(span.start, last if span.end is None else span.end)
    left, right = axis.place(span.start), axis.place(end)
    return Row(span, round(left, 2), round(max(right - left, THINNEST), 2), end - span.start)


def _idle(spans: Sequence[Span], last: float) -> list[tuple[float, float]]:
    """The stretches longer than FOLD_AFTER in which nobody works."""
    working = sorted(
        (span.start, last if span.end is None else span.end)
        for span in spans
        if span.kind not in PASSIVE_KINDS and span.state not in PASSIVE_STATES
    )
    gaps, reached = [], 0.0
    for start, end in [*working, (last, last)]:
        if start - reached > FOLD_AFTER:
            gaps.append((reached, start))
        reached = max(reached, end)
    return gaps


class _Axis:
    """Maps seconds to percents: linear where someone works, jumping over the folds."""

    def __init__(
        self, gaps: Sequence[tuple[float, float]], last: float, hidden: Sequence[tuple[float, float]] = ()
    ) -> None:
        self._gaps, self._hidden = gaps, hidden
        self._fold_width = min(FOLD_WIDTH, FOLDS_WIDTH / len(gaps)) if gaps else 0.0
        busy = last - sum(end - start for start, end in gaps)
        self._bound = _rounded_up(busy)
        self._scale = (REACH - self._fold_width * len(gaps)) / self._bound
        self._last = last

    @property
    def folds(self) -> list[Fold]:
        """The bands, from left to right."""
        width = round(self._fold_width, 2)
        return [
            Fold(round(self.place(start), 2), width, end - start, is_wait=not self._is_hidden(start, end))
            for start, end in self._gaps
        ]

    def _is_hidden(self, start: float, end: float) -> bool:
        return any(begun < end and ended > start for begun, ended in self._hidden)

    def place(self, second: float) -> float:
        """Where a moment stands; within a fold in proportion to the time."""
        x, reached = 0.0, 0.0
        for start, end in self._gaps:
            if second <= start:
                break
            x += (start - reached) * self._scale
            if second < end:
                return x + self._fold_width * (second - start) / (end - start)
            x += self._fold_width
            reached = end
        return x + (second - reached) * self._scale

    def ticks(self) -> list[Tick]:
        """Lines at round moments that are not folded, labelled where there is room."""
        step = next((one for one in _STEPS if self._bound / one <= MOST_TICKS), _STEPS[-1])
        bands = [(fold.middle - LABEL_WIDTH / 2, fold.middle + LABEL_WIDTH / 2) for fold in self.folds]
        end = self._last + self._bound - (self._last - sum(b - a for a, b in self._gaps))
        ticks: list[Tick] = []
        free_from = -1.0
        for moment in self._moments(step, end):
            x = self.place(moment)
            clear = x >= free_from and all(x + LABEL_WIDTH * 0.7 < left or x > right for left, right in bands)
            if clear:
                free_from = x + LABEL_WIDTH * 0.8
            ticks.append(Tick(round(x, 2), _moment(moment, step) if clear else ""))
        return ticks

    def _moments(self, step: float, end: float) -> list[float]:
        """Multiples of the step up to the end, without those inside a fold; it jumps over long folds."""
        moments, at = [], 0
        while (moment := at * step) <= end + 1e-9:
            inside = next((gap for gap in self._gaps if gap[0] < moment < gap[1]), None)
            if inside is None:
                moments.append(moment)
                at += 1
            else:
                at = max(at + 1, int(inside[1] // step))
        return moments


def _rounded_up(seconds: float) -> float:
    """The next nice bound, so that a growing run does not move its older bars at every step."""
    for step in _STEPS:
        bound = step * -(-seconds // step)
        if FEWEST_TICKS * step <= bound <= 2 * MOST_TICKS * step:
            return float(bound)
    return max(seconds, _STEPS[0] * FEWEST_TICKS)


def _moment(second: float, step: float = 1) -> str:
    """As short as it can be; with tenths of a second where the lines stand closer than a second."""
    if second < 60:  # noqa: PLR2004 - a minute
        return "0" if second == 0 else f"{second:.4g} s"
    hours, rest = divmod(round(second, 1) if step < 1 else round(second), 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [
        f"{hours:g}h" if hours else "",
        f"{minutes:g}m" if minutes else "",
        f"{round(seconds, 1):g}s" if seconds else "",
    ]
    return " ".join(part for part in parts if part)
