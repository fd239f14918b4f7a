"""Long runs as few rows: repeated calls become one, then the deepest sub-agents fold, then the middle is left out."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from foundation.web.waterfall import Span


def condense(spans: Sequence[Span], most: int) -> list[Span]:
    """At most `most` spans that tell the same story; as they are if they fit. What was folded says how much it holds.

    The first span is the run itself and stays; of what still does not fit, the newest are kept.
    """
    kept = list(spans)
    if len(kept) > most:
        kept = _repeats_joined(kept)
    deepest = max((span.depth for span in kept), default=0)
    while len(kept) > most and deepest > 1:
        kept = _folded(kept, deepest)
        deepest -= 1
    if len(kept) > most:
        left_out = len(kept) - most
        first = replace(kept[0], note=f"{left_out:,} earlier steps are not drawn")
        kept = [first, *kept[-(most - 1) :]]
    return kept


def _repeats_joined(spans: Sequence[Span]) -> list[Span]:
    """Neighbours of one depth with the same name and outcome, as one span from the first's start to the last's end."""
    joined = []
    for _, same in groupby(spans, key=lambda span: (span.depth, span.label, span.kind, span.state)):
        group = list(same)
        if len(group) == 1:
            joined += group
            continue
        ends = [span.end for span in group]
        end = None if None in ends else max(end for end in ends if end is not None)
        joined.append(replace(group[0], end=end, note=f"\N{MULTIPLICATION SIGN}{len(group)}"))
    return joined


def _folded(spans: Sequence[Span], depth: int) -> list[Span]:
    """Without the spans of a depth; the span above them says how many there were."""
    kept: list[Span] = []
    hidden = 0
    for span in spans:
        if span.depth == depth:
            hidden += 1
            continue
        if hidden:
            kept[-1] = replace(kept[-1], note=f"{kept[-1].note} · {hidden} steps".lstrip(" ·"))
        hidden = 0
        kept.append(span)
    if hidden and kept:
        kept[-1] = replace(kept[-1], note=f"{kept[-1].note} · {hidden} steps".lstrip(" ·"))
    return kept
