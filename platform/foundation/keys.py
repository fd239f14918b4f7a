"""Keys of this installation: read from the environment, or from a file that is made at its first use.

A key file holds one key a line (32 random bytes in base64), the current one first; the others only open what
they closed. The environment variable holds the same, parted by commas or white space.
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

KEY_LENGTH = 32


class KeyUnusableError(RuntimeError):
    """A key cannot be read or made; the message says which and what to do."""


def load_or_make_keys(name: str, environment: str, *, directory: Path | None = None) -> tuple[bytes, ...]:
    """The keys of `<data directory>/keys/<name>`, current one first, or those of the variable `environment`.

    Where neither exists a key is made and written with mode 0600; of several processes that do so at the same
    moment, all return the same key. Raises KeyUnusableError.
    """
    given = os.environ.get(environment, "").strip()
    if given:
        return _parse(given, environment)
    path = (directory or key_directory()) / name
    try:
        return _read(path)
    except FileNotFoundError:
        _write_new(path, secrets.token_bytes(KEY_LENGTH))
        return _read(path)


def load_or_make_key(name: str, environment: str, *, directory: Path | None = None) -> bytes:
    """The current key of `load_or_make_keys`."""
    return load_or_make_keys(name, environment, directory=directory)[0]


def add_key(name: str, environment: str, *, directory: Path | None = None) -> None:
    """Put a new key before the others of the file. Raises KeyUnusableError when the environment holds the keys."""
    keys = _keys_of_the_file(name, environment, directory)
    _replace(name, (secrets.token_bytes(KEY_LENGTH), *keys), directory)


def drop_former_keys(name: str, environment: str, *, directory: Path | None = None) -> int:
    """Leave only the current key in the file; says how many went. Raises KeyUnusableError like `add_key`."""
    keys = _keys_of_the_file(name, environment, directory)
    _replace(name, keys[:1], directory)
    return len(keys) - 1


def key_id(key: bytes) -> str:
    """The short public name of a key: it tells which key closed something, and nothing about the key."""
    return hashlib.sha256(b"remit key id" + key).hexdigest()[:8]


def key_directory() -> Path:
    """Where the key files lie."""
    return Path(settings.KEYS_DIR)


def _keys_of_the_file(name: str, environment: str, directory: Path | None) -> tuple[bytes, ...]:
    if os.environ.get(environment, "").strip():
        raise KeyUnusableError(f"{environment} holds the keys, the current one first: change them there.")
    return load_or_make_keys(name, environment, directory=directory)


def _replace(name: str, keys: Sequence[bytes], directory: Path | None) -> None:
    path = (directory or key_directory()) / name
    _draft(path, keys).replace(path)


def _parse(text: str, source: str) -> tuple[bytes, ...]:
    try:
        keys = tuple(base64.b64decode(word, validate=True) for word in text.replace(",", " ").split())
    except binascii.Error:
        keys = ()
    if not keys or any(len(key) != KEY_LENGTH for key in keys):
        raise KeyUnusableError(
            f"{source} must hold {KEY_LENGTH} random bytes in base64 (`openssl rand -base64 {KEY_LENGTH}`)."
        )
    return keys


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusableError(f"Others may read {path}: run `chmod 600 {path}`, and rotate the key if they did.")
        return _parse(path.read_text(), str(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyUnusableError(
            f"{path} cannot be read ({error.strerror}): give it to the user that runs Remit."
        ) from error


def _write_new(path: Path, key: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _draft(path, (key,))
        try:
            # A link, unlike a rename, fails when another process was faster; and nobody ever sees half a file.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise KeyUnusableError(
            f"{path} cannot be made ({error.strerror}): free the data directory or its disk."
        ) from error


def _draft(path: Path, keys: Sequence[bytes]) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(base64.b64encode(key).decode() + "\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return draft
