"""Bodies that others wrote: always text, never markup, and with nothing hidden in them."""

import difflib
import json
import re
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from foundation.access.withheld import Withheld
from foundation.web.components.markup import icon, join, visible

LONGEST = 60_000
MINUS = "\N{MINUS SIGN}"
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)')


def payload(value: Any, label: str = "Content") -> SafeString:
    """A body as a block: text as it is, anything else as indented JSON. Cut after 60,000 characters, and says so.

    What is withheld is a line that says so.
    """
    if isinstance(value, Withheld):
        return withheld_line(value, label)
    is_text = isinstance(value, str)
    text = value if is_text else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    over = len(text) - LONGEST
    shown = visible(text[:LONGEST])
    body = escape(shown) if is_text else _coloured(shown)
    rest = format_html("\n… {} more characters", f"{over:,}") if over > 0 else ""
    return format_html(
        '<pre class="payload" tabindex="0" role="group" aria-label="{}" hx-ignore>{}{}</pre>', label, body, rest
    )


def _coloured(text: str) -> SafeString:
    """JSON with its keys, strings, numbers and words in spans; every piece is escaped."""
    parts, at = [], 0
    for found in _TOKEN.finditer(text):
        parts.append(escape(text[at : found.start()]))
        string, colon, word, number = found.groups()
        kind = "k" if colon else "s" if string else "w" if word else "n"
        parts.append(format_html('<span class="{}">{}</span>{}', kind, string or word or number, colon or ""))
        at = found.end()
    parts.append(escape(text[at:]))
    return mark_safe("".join(parts))  # noqa: S308 - every piece is escaped above


def withheld_line(value: Withheld, label: str) -> SafeString:
    """In the place of a body: what is withheld, how large it is, and which permission shows it."""
    return format_html(
        '<p class="withheld">{}<span><strong>{}</strong> is withheld: {}. '
        "The permission <code>{}</code> shows it.</span></p>",
        icon("lock", "small"), visible(label), filesizeformat(value.bytes), value.permission,
    )  # fmt: skip


def words_of(text: object, label: str = "What was said") -> SafeString:
    """What an agent or a stranger wrote, as text, set apart from what the product says."""
    if isinstance(text, Withheld):
        return withheld_line(text, label)
    return format_html('<blockquote class="agent-words prose" hx-ignore>{}</blockquote>', visible(text))


def sentence(text: object, label: str = "What was said") -> SafeString:
    """What a tool or the product says, in a paragraph of its own."""
    if isinstance(text, Withheld):
        return withheld_line(text, label)
    return format_html('<p class="break">{}</p>', visible(text))


def diff(before: str, after: str, label: str = "Changes") -> SafeString:
    """Two texts line by line, three lines of context around each change."""
    lines = [
        _line(kind, number, text) for kind, number, text in _changes(before.splitlines(), after.splitlines(), context=3)
    ]
    return format_html('<div class="diff" role="group" tabindex="0" aria-label="{}">{}</div>', label, join(lines))


def _line(kind: str, number: int, text: str) -> SafeString:
    tone = {"+": "plus", "-": "minus"}.get(kind, "")
    sign = MINUS if kind == "-" else kind
    return format_html(
        "<div class='{}'><span>{}</span><span>{}</span><span>{}</span></div>", tone, number, sign, visible(text)
    )


def _changes(old: list[str], new: list[str], context: int) -> list[tuple[str, int, str]]:
    changes: list[tuple[str, int, str]] = []
    for group in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_grouped_opcodes(context):
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                changes += [("", at + 1, new[at]) for at in range(new_from, new_to)]
                continue
            changes += [("-", at + 1, old[at]) for at in range(old_from, old_to)]
            changes += [("+", at + 1, new[at]) for at in range(new_from, new_to)]
    return changes
