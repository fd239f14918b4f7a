"""Verify an exported log offline: `python -m foundation.audit.verifier FILE --key KEY [--checkpoint NOTE]`.

It needs no database and none of Remit's dependencies but `cryptography`. It ends with 0 when every entry is as it was
signed, with 1 naming the first that is not, with 2 when it was called wrongly. KEY is the log's public key as it was
published; take it from elsewhere than the file, or the file proves only itself. Where the key was rotated, give each.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from foundation.audit.canonical import canonical
from foundation.audit.merkle import CompactRange, leaf_hash
from foundation.audit.notes import NoteInvalidError, SignedHead, VerifierKey, open_note


class LogInvalidError(Exception):
    """The file is not what was signed; `index` is the first entry in doubt, if one can be named."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def verify_lines(lines: Iterable[str], *keys: VerifierKey, witnessed: Iterable[str] = ()) -> SignedHead:
    """Check an export and give its newest head. `keys` are those that the log was ever signed with, `witnessed` notes
    kept elsewhere. Raises LogInvalidError."""
    hashes: list[bytes] = []
    heads = [_opened(note, keys) for note in witnessed]
    for line in _parsed(lines):
        if line.get("kind") == "entry":
            hashes.append(_checked_leaf(line, len(hashes)))
        elif line.get("kind") == "checkpoint":
            heads.append(_opened(str(line.get("note")), keys))
    if not heads:
        raise LogInvalidError("The file holds no checkpoint, so nothing in it is proved.")
    heads.sort(key=lambda head: head.size)
    _check_roots(hashes, heads)
    return heads[-1]


def _parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise LogInvalidError(f"Line {number} is no JSON object.")
        yield value


def _checked_leaf(line: dict[str, Any], expected: int) -> bytes:
    if line.get("index") != expected:
        raise LogInvalidError(f"Entry {expected} is missing or out of order.", expected)
    entry = line.get("entry")
    try:
        data = canonical(entry)
    except (TypeError, ValueError) as error:
        raise LogInvalidError(f"Entry {expected} cannot be an entry: {error}", expected) from error
    if "body" in line and (not isinstance(entry, dict) or _digest(line) != entry.get("body_digest")):
        raise LogInvalidError(f"The body of entry {expected} was changed.", expected)
    return leaf_hash(data)


def _digest(line: dict[str, Any]) -> str:
    salt = base64.b64decode(str(line.get("salt")))
    return "sha256:" + hashlib.sha256(salt + str(line["body"]).encode()).hexdigest()


def _opened(note: str, keys: Iterable[VerifierKey]) -> SignedHead:
    said = "no key was given"
    for key in keys:
        try:
            head = open_note(note, key)
        except NoteInvalidError as error:
            said = str(error)
            continue
        if head.origin != key.name:
            raise LogInvalidError(f"A checkpoint is of another log: {head.origin}.")
        return head
    raise LogInvalidError(f"A checkpoint is signed by none of the given keys: {said}")


def _check_roots(hashes: list[bytes], heads: list[SignedHead]) -> None:
    tree, sound = CompactRange(), 0
    for head in heads:
        if head.size > len(hashes):
            raise LogInvalidError(f"Entry {len(hashes)} is missing: {head.size} entries were signed.", len(hashes))
        for digest in hashes[tree.size : head.size]:
            tree.append(digest)
        if tree.root() != head.root:
            raise LogInvalidError(f"Entries {sound} to {head.size - 1} are not as they were signed.", sound)
        sound = head.size
    if sound < len(hashes):
        raise LogInvalidError(f"No checkpoint signs the entries from {sound} on.", sound)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="verifier", description="Verify an exported log of Remit.")
    parser.add_argument("file", type=Path, help="the export, one JSON object a line")
    said = "the log's public key: name+id+key; several where it was rotated"
    parser.add_argument("--key", required=True, action="append", help=said)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="a checkpoint kept elsewhere")
    given = parser.parse_args(arguments)
    try:
        keys = [VerifierKey.parse(key) for key in given.key]
        if len({key.name for key in keys}) > 1:
            parser.error("The keys are of different logs.")
        with given.file.open(encoding="utf-8") as lines:
            head = verify_lines(lines, *keys, witnessed=[path.read_text("utf-8") for path in given.checkpoint])
    except LogInvalidError as error:
        _say(f"BAD: {error}")
        return 1
    except (NoteInvalidError, OSError, UnicodeDecodeError) as error:
        parser.error(str(error))
    _say(f"OK: {head.size} entries of {head.origin} are as they were signed; root {head.root.hex()}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
