"""Digests of JSON values: equal values have equal digests, whoever writes them."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import orjson
import rfc8785

from foundation.errors import InvalidError

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode

# Where the standard library may write a number otherwise than RFC 8785: fractions, exponents, 16 digits and more. It
# may find one inside a text, which then goes the long way for nothing.
_OTHER_NUMBERS = re.compile(r"[:,\[]-?\d(?:\d*[.eE]|\d{15})")


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON.

    The standard library's encoder is many times faster and writes the same for ASCII text and small integers; whatever
    may differ goes the long way. Raises ValueError for what has no such form.
    """
    try:
        text = _encode(value)
    except (TypeError, ValueError):
        return rfc8785.dumps(value)
    if text.isascii() and text[0] in '{["tfn' and not _OTHER_NUMBERS.search(text):
        return text.encode()
    return rfc8785.dumps(value)


def canonical_with(value: Mapping[str, Any], known: Mapping[str, bytes]) -> bytes:
    """RFC 8785 canonical JSON of an object of ours, some of whose members' canonical JSON is known already.

    The other members hold texts, truths, and whole numbers that RFC 8785 can write.
    """
    members = {**value, **{name: orjson.Fragment(text) for name, text in known.items()}}
    try:
        text = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return canonical(value)
    # Beyond ASCII, names are sorted otherwise.
    return text if text.isascii() else canonical(value)


def digest_of(value: Any, field: str = "") -> str:
    """SHA-256 over RFC 8785 canonical JSON, with its algorithm tag. Raises InvalidError for what has no such form."""
    try:
        return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidError(f"This has no canonical JSON: {error}.", field) from error
