"""The keys that sign tokens (Ed25519), and their public halves, with which anybody can check one.

A key's name is its thumbprint (RFC 7638). Of several keys the first one signs; the others only verify what they have
signed, for as long as that counts.
"""

import os
import threading
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import KeySet, OKPKey

from foundation.keys import add_key, drop_former_keys, key_directory, load_or_make_keys

KEY_FILE = "token.key"
KEY_VARIABLE = "REMIT_TOKEN_KEY"
LIFETIME = 600  # seconds that a token counts at most


class _Keyring:
    """The installation's token keys, read again when their file is another one: a rotation needs no restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: object = None
        self._keys: KeySet | None = None

    def read(self) -> KeySet:
        source = self._look()
        with self._lock:
            if self._keys is None or source is None or source != self._source:
                self._keys = KeySet([_key(seed) for seed in load_or_make_keys(KEY_FILE, KEY_VARIABLE)])
                self._source = self._look()
            return self._keys

    def _look(self) -> object:
        if given := os.environ.get(KEY_VARIABLE, "").strip():
            return given
        try:
            found = (key_directory() / KEY_FILE).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns


_keyring = _Keyring()


def signing_key() -> OKPKey:
    """The private key that signs now. Raises KeyUnusableError."""
    first = _keyring.read().keys[0]
    if not isinstance(first, OKPKey):
        raise TypeError("A token key is no Ed25519 key.")
    return first


def verification_keys() -> KeySet:
    """All keys under which a token may stand. Raises KeyUnusableError."""
    return _keyring.read()


def public_keys() -> dict[str, list[dict[str, Any]]]:
    """The JSON Web Key Set (RFC 7517) of the public halves. Raises KeyUnusableError."""
    extra = {"use": "sig", "alg": "EdDSA"}
    return {"keys": [{**key.as_dict(private=False), **extra} for key in _keyring.read()]}


def rotate_keys(*, forget: bool = False) -> int:
    """A new key signs from now on; says how many verify. Raises KeyUnusableError when the environment holds them.

    Former keys stay for as long as tokens of theirs count: until the first rotation after that. `forget` leaves none of
    them, and so no token that was given until now: for keys that somebody may have seen.
    """
    load_or_make_keys(KEY_FILE, KEY_VARIABLE)
    if time.time() - _rotated_at() > LIFETIME:
        # What former keys have signed is over: whatever comes back under them was not signed by us.
        drop_former_keys(KEY_FILE, KEY_VARIABLE)
    add_key(KEY_FILE, KEY_VARIABLE)
    if forget:
        drop_former_keys(KEY_FILE, KEY_VARIABLE)
    return len(_keyring.read().keys)


def _rotated_at() -> float:
    path = key_directory() / KEY_FILE
    return path.stat().st_mtime if path.exists() else 0.0


def _key(seed: bytes) -> OKPKey:
    key = OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))
    key.ensure_kid()
    return key
