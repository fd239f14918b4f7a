"""Who and which: marks of agents and people, ids that can be copied."""

import re
from zlib import crc32

from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation.web.components.markup import icon

HUES = 12


def hue(identifier: object) -> int:
    """The hue class (0 to 11) of an id: the same everywhere and for ever."""
    return crc32(str(identifier).encode()) % HUES


def monogram(name: str) -> str:
    """Two letters for a name: the initials of the first two words, or the first two letters of one."""
    words: list[str] = re.findall(r"[^\W_]+", name)
    if not words:
        return "?"
    return (words[0][:2] if len(words) == 1 else words[0][0] + words[1][0]).upper()


def agent_mark(identifier: object, name: str, size: str = "") -> SafeString:
    """The square mark of an agent; `size` is "", "big" or "huge". Decoration: the name stands beside it."""
    return format_html(
        '<span class="mark {} hue-{}" aria-hidden="true">{}</span>', size, hue(identifier), monogram(name)
    )


def person_mark(identifier: object, name: str, size: str = "") -> SafeString:
    """The round mark of a person."""
    return format_html(
        '<span class="mark round {} hue-{}" aria-hidden="true">{}</span>', size, hue(identifier), monogram(name)
    )


def actor_mark(kind: str, identifier: object, name: str) -> SafeString:
    """The mark of whoever acted: square for an agent, round for a person, grey for the system itself."""
    if kind == "agent":
        return agent_mark(identifier, name)
    if kind in {"person", "user"}:
        return person_mark(identifier, name)
    return format_html('<span class="mark grey" aria-hidden="true">{}</span>', icon("server", "small"))


def short_id(identifier: object, prefix: str = "") -> str:
    """An id as people see it: the prefix of its kind and its last eight characters."""
    tail = str(identifier).replace("-", "")[-8:]
    return f"{prefix}_…{tail}" if prefix else f"…{tail}"


def hexed(digest: bytes, length: int = 8) -> str:
    """The first characters of a digest, hexadecimal."""
    return bytes(digest).hex()[:length]


def copy_id(identifier: object, prefix: str = "") -> SafeString:
    """An id in its short form; a click copies the whole."""
    return format_html(
        '<button type="button" class="copy" data-copy="{0}" data-tip="{0}">'
        '<span class="vh">Copy the id </span>{1}{2}</button>',
        identifier, short_id(identifier, prefix), icon("copy"),
    )  # fmt: skip


def copy_text(text: str, shown: str = "") -> SafeString:
    """Any text that a click copies, such as a digest; `shown` is its short form."""
    return format_html(
        '<button type="button" class="copy" data-copy="{0}"><span class="vh">Copy </span>{1}{2}</button>',
        text, shown or text, icon("copy"),
    )  # fmt: skip
