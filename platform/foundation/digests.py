"""Digests of JSON values: equal values have equal digests, whoever writes them."""

import hashlib
from typing import Any

import rfc8785

from foundation.errors import InvalidError


def digest_of(value: Any, field: str = "") -> str:
    """SHA-256 over RFC 8785 canonical JSON, with its algorithm tag. Raises InvalidError for what has no such form."""
    try:
        return "sha256:" + hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidError(f"This has no canonical JSON: {error}.", field) from error
