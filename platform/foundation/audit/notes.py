"""Signed checkpoints: C2SP signed-note (Ed25519) around C2SP tlog-checkpoint. Pure but for `cryptography`."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_KEY_ID = 4
_KEY = 32
_LINES = 3


class NoteInvalidError(ValueError):
    """A note is malformed, or no signature of the wanted key stands under it."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What a checkpoint says: the log's name, its number of entries, the root of their tree."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name that signs with it; written as `<name>+<key id>+<key>`."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash of name and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """The key of its written form; raises NoteInvalidError."""
        name, _, rest = text.strip().partition("+")
        identifier, _, encoded = rest.partition("+")
        key = _decode(encoded)
        if not name or key[:1] != _ED25519 or len(key) != _KEY + 1:
            raise NoteInvalidError("This is no Ed25519 verifier key of the form name+id+key.")
        parsed = cls(name, key[1:])
        if parsed.key_id.hex() != identifier:
            raise NoteInvalidError("The id in the verifier key does not belong to its name and key.")
        return parsed


def verifier_key(name: str, seed: bytes) -> VerifierKey:
    """The public half of a 32-byte Ed25519 seed, under a name."""
    return VerifierKey(name, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def sign(head: SignedHead, seed: bytes) -> str:
    """The signed note of a head, under the log's own name."""
    text = f"{head.origin}\n{head.size}\n{base64.b64encode(head.root).decode()}\n"
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())
    key = verifier_key(head.origin, seed)
    return f"{text}\n— {head.origin} {base64.b64encode(key.key_id + signature).decode()}\n"


def open_note(note: str, key: VerifierKey) -> SignedHead:
    """The head in a note that `key` has signed; raises NoteInvalidError. Others' signatures are passed over."""
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise NoteInvalidError("This is no signed note.")
    text += "\n"
    if not any(_is_signed(text, line, key) for line in signatures.splitlines()):
        raise NoteInvalidError(f"The note bears no valid signature of {key.name}.")
    return _head(text)


def _is_signed(text: str, line: str, key: VerifierKey) -> bool:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or name != key.name:
        return False
    blob = _decode(encoded)
    if blob[:_KEY_ID] != key.key_id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(blob[_KEY_ID:], text.encode())
    except InvalidSignature:
        return False
    return True


def _head(text: str) -> SignedHead:
    lines = text.split("\n")
    if len(lines) <= _LINES or not lines[1].isdecimal() or lines[1] != str(int(lines[1])):
        raise NoteInvalidError("The note is no checkpoint.")
    return SignedHead(lines[0], int(lines[1]), _decode(lines[2]))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalidError("The note or key holds no proper base64.") from error
