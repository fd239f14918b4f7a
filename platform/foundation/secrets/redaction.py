"""Taking secrets out of what is logged: those this process has opened, and whatever looks like one."""

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, MutableMapping
from typing import Any

REDACTED = "[secret]"
_SHORTEST = 8  # characters; a shorter "secret" would blank out ordinary words
_REMEMBERED = 1_000

_known: OrderedDict[str, None] = OrderedDict()
_lock = threading.Lock()

_NAMES = re.compile(
    r"(?i)pass(word|wd|phrase)|secret|token$|api[_-]?key|private[_-]?key|authorization|^cookie|set-cookie|credential$"
)
_LOOKS = (
    # The user and host of a URL stay, its password goes.
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]+@", re.IGNORECASE), rf"\1:{REDACTED}@"),
    # Links that sign in or invite count until they are used.
    (re.compile(r"(/sign-in/(?:link|invitation)/)[^\s/?#\"']+"), rf"\1{REDACTED}"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"\b(sk|pk|rk|rmt|remit)[-_][A-Za-z0-9_-]{12,}"), REDACTED),
    (re.compile(r"\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA|AIza)[A-Za-z0-9_-]{10,}"), REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), REDACTED),
    (
        re.compile(
            r"""(?ix) ( \b (?: password | passwd | secret | api[_-]?key | access[_-]?token | client[_-]?secret )
            ["']? \s* [=:] \s* ["']? ) [^\s"'&,;}]{3,}"""
        ),
        rf"\1{REDACTED}",
    ),
)


def register_secret(value: str) -> None:
    """Remember a value that must not be logged by this process (the latest thousand are kept)."""
    if len(value) < _SHORTEST:
        return
    with _lock:
        _known[value] = None
        _known.move_to_end(value)
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)


def redacted(text: str) -> str:
    """The text without secrets."""
    for secret in list(_known):
        if secret in text:
            text = text.replace(secret, REDACTED)
    for look, replacement in _LOOKS:
        text = look.sub(replacement, text)
    return text


def redact(value: Any) -> Any:
    """The same of any plain value, however nested; values under names such as `password` go whole."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bytes):
        return redacted(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {
            redact(name): REDACTED if isinstance(name, str) and inner and _NAMES.search(name) else redact(inner)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redacted(str(value))


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor; it stands after those that format exceptions."""
    for name, value in event.items():
        # Names with an underscore are structlog's own (the log record, not yet text).
        if not name.startswith("_"):
            event[name] = REDACTED if value and _NAMES.search(name) else redact(value)
    return event


class RedactingFilter(logging.Filter):
    """The same for handlers of the standard library: the message is made whole, then cleaned."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record is changed."""
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = redacted(record.stack_info)
        return True
