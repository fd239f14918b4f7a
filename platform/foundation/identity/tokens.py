"""Secrets that people and programs present to us. We keep SHA-256 digests: the secrets have 256 random bits."""

import hashlib
import hmac
import secrets
from typing import NamedTuple

KEY_MARK = "rk"  # in front of an API key, so that scanners of leaked secrets find it
_PREFIX_BYTES = 5
_SECRET_BYTES = 32
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class NewKey(NamedTuple):
    """A new API key: the whole of it, shown once; the prefix that finds its row; the digest that is kept."""

    token: str
    prefix: str
    digest: str


def new_key() -> NewKey:
    """`rk_<prefix>_<secret>`, both parts in hexadecimal."""
    prefix = secrets.token_hex(_PREFIX_BYTES)
    token = f"{KEY_MARK}_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    return NewKey(token, prefix, digest(token))


def new_link_token() -> str:
    """The secret part of a sign-in link."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(token: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def prefix_of(token: str) -> str:
    """The prefix of an API key, or nothing if it is not one."""
    mark, _, rest = token.partition("_")
    prefix, _, secret = rest.partition("_")
    return prefix if mark == KEY_MARK and secret and prefix.isascii() and prefix.isalnum() else ""


def matches(token: str, kept: str | None) -> bool:
    """Whether this secret is the one of the digest; takes as long when there is none."""
    same = hmac.compare_digest(digest(token), kept or _NOBODY)
    return same and kept is not None
