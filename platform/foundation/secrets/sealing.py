"""Sealing values at rest: AES-256-GCM with a key for each context (HKDF-SHA256), under the installation's keys.

A token is `v1.<key id>.<nonce and ciphertext>`. The context says what the value is for, such as
`tools.credential:<id>`: a token moved to another row does not open there.
"""

import base64
import binascii
import os
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from foundation.keys import key_id, load_or_make_keys
from foundation.secrets.redaction import register_secret

KEY_FILE = "sealing.key"
KEY_VARIABLE = "REMIT_SEALING_KEY"
VERSION = "v1"
_NONCE = 12


class UnsealError(ValueError):
    """A token does not open: it was damaged, belongs to another context, or its key is missing."""


class _Keyring:
    """The installation's keys by id, read once, and again when a token names one that is not among them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._current = ""

    def current(self) -> tuple[str, bytes]:
        with self._lock:
            if not self._keys:
                self._read()
            return self._current, self._keys[self._current]

    def named(self, identifier: str) -> bytes | None:
        with self._lock:
            if identifier not in self._keys:
                self._read()
            return self._keys.get(identifier)

    def forget(self) -> None:
        with self._lock:
            self._keys = {}

    def _read(self) -> None:
        keys = load_or_make_keys(KEY_FILE, KEY_VARIABLE)
        self._keys = {key_id(key): key for key in keys}
        self._current = key_id(keys[0])


_keyring = _Keyring()


def seal(plain: str, *, context: str) -> str:
    """A token that only `unseal` with the same context opens. Two tokens of one value differ."""
    register_secret(plain)
    identifier, key = _keyring.current()
    nonce = os.urandom(_NONCE)
    closed = AESGCM(_derive(key, context)).encrypt(nonce, plain.encode(), _bound(identifier, context))
    return f"{VERSION}.{identifier}.{base64.urlsafe_b64encode(nonce + closed).decode().rstrip('=')}"


def unseal(token: str, *, context: str) -> str:
    """The value in a token. Raises UnsealError. This process will not log the value."""
    version, _, rest = token.partition(".")
    identifier, _, encoded = rest.partition(".")
    if version != VERSION or not encoded:
        raise UnsealError("This is no sealed value.")
    key = _keyring.named(identifier)
    if key is None:
        raise UnsealError(f"The sealing key {identifier} is missing: restore it to {KEY_FILE} or {KEY_VARIABLE}.")
    try:
        blob = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        opened = AESGCM(_derive(key, context)).decrypt(blob[:_NONCE], blob[_NONCE:], _bound(identifier, context))
    except (InvalidTag, binascii.Error, ValueError):
        raise UnsealError("The sealed value does not open: it was changed, or it belongs to something else.") from None
    plain = opened.decode()
    register_secret(plain)
    return plain


def is_current(token: str) -> bool:
    """Whether the current key sealed the token."""
    return token.startswith(f"{VERSION}.{_keyring.current()[0]}.")


def reseal(token: str, *, context: str) -> str:
    """The same value under the current key; a token that is current already comes back as it is."""
    return token if is_current(token) else seal(unseal(token, context=context), context=context)


def forget_keys() -> None:
    """Read the keys again at the next use: after a rotation, and in tests."""
    _keyring.forget()


def _derive(key: bytes, context: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"remit/seal/v1/" + context.encode()).derive(key)


def _bound(identifier: str, context: str) -> bytes:
    return f"{VERSION}.{identifier}.{context}".encode()
