"""Long runs as few rows: repeated calls become one, then the deepest sub-agents fold, then a part is drawn."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from foundation.web.waterfall import MORE, Span


def condense(spans: Sequence[Span], most: int, *, before: str = "", wanted: str = "") -> list[Span]:
    """At most `most` spans (four or more) that tell the same story; as they are if they fit.

    What was folded says how much it holds; what holds the span with the key `wanted` is not folded. The first span is
    the run itself and stays. Of what still does not fit, a part is kept: what stands before the span with the key
    `before`, or else what is around the one that is `wanted`, or else the newest. What stands before and behind the
    part are spans of the kind `MORE`; their keys are the `before` of the parts next to it.
    """
    kept = list(spans)
    if len(kept) > most:
        kept = _repeats_joined(kept, wanted)
    deepest = max((span.depth for span in kept), default=0)
    while len(kept) > most and deepest > 1:
        kept = _folded(kept, deepest, wanted)
        deepest -= 1
    return kept if len(kept) <= most else [kept[0], *_part(kept[1:], max(1, most - 3), before, wanted)]


def _part(spans: Sequence[Span], size: int, before: str, wanted: str) -> list[Span]:
    places = {span.key: place for place, span in enumerate(spans)}
    end = places.get(before, 0) or len(spans)
    if end == len(spans) and places.get(wanted, end) < end - size:
        end = places[wanted] + size // 2 + 1
    end = max(end, size)
    start = end - size
    part = [*spans[start:end]]
    if start:
        part.insert(0, _left_out(spans[:start], "earlier", spans[start].key))
    if end < len(spans):
        following = end + size
        part.append(_left_out(spans[end:], "later", spans[following].key if following < len(spans) else ""))
    return part


def _left_out(spans: Sequence[Span], word: str, key: str) -> Span:
    ends = [span.end for span in spans]
    end = None if None in ends else max(end for end in ends if end is not None)
    return Span(spans[0].start, end, 1, f"{len(spans):,} {word} step{'' if len(spans) == 1 else 's'}", MORE, key=key)


def _repeats_joined(spans: Sequence[Span], wanted: str) -> list[Span]:
    """Neighbours of one depth with the same name and outcome, as one span from the first's start to the last's end.

    It has the key of the first: where that is wanted, it is found.
    """
    joined = []
    for _, same in groupby(spans, key=lambda span: (span.depth, span.label, span.kind, span.state)):
        group = list(same)
        if len(group) == 1 or (wanted and wanted in {span.key for span in group[1:]}):
            joined += group
            continue
        ends = [span.end for span in group]
        end = None if None in ends else max(end for end in ends if end is not None)
        joined.append(replace(group[0], end=end, note=f"\N{MULTIPLICATION SIGN}{len(group)}", holds=len(group)))
    return joined


def _folded(spans: Sequence[Span], depth: int, wanted: str) -> list[Span]:
    """Without the spans of a depth; the span above them says how many there were. What holds the wanted one stays."""
    kept: list[Span] = []
    for is_deep, run in groupby(spans, key=lambda span: span.depth >= depth):
        group = list(run)
        if not is_deep or not kept or (wanted and wanted in {span.key for span in group}):
            kept += group
        else:
            kept[-1] = replace(kept[-1], note=f"{kept[-1].note} · {len(group)} steps".lstrip(" ·"))
    return kept
