"""A log as lines of JSON, for `foundation.audit.verifier` or any other verifier (docs/record.md)."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import rfc8785

from foundation.audit.leaves import leaf_content, log_of, origin_of
from foundation.audit.models import AuditBody, AuditEntry, AuditLeaf, Checkpoint
from foundation.audit.sealing import ALIAS, public_keys

VERSION = 1
_PAGE = 1_000


def export(organisation: UUID | None, *, bodies: bool = False) -> Iterator[str]:
    """The sealed part of a log (None: the installation's): a head line, its entries in order, its checkpoints.

    With `bodies` the bodies that were not erased are in it, and their salts.
    """
    log = log_of(organisation)
    checkpoints = list(Checkpoint.objects.using(ALIAS).filter(log=log).order_by("size"))
    size = checkpoints[-1].size if checkpoints else 0
    keys = [str(key) for key in public_keys(organisation)]
    yield _line({"kind": "log", "version": VERSION, "origin": origin_of(log), "keys": keys, "size": size})
    for start in range(0, size, _PAGE):
        yield from _entry_lines(log, start, min(start + _PAGE, size), bodies=bodies)
    for checkpoint in checkpoints:
        yield _line({"kind": "checkpoint", "size": checkpoint.size, "note": checkpoint.note})


def _entry_lines(log: UUID, start: int, stop: int, *, bodies: bool) -> Iterator[str]:
    leaves = AuditLeaf.objects.using(ALIAS).filter(log=log, index__gte=start, index__lt=stop).order_by("index")
    order = [(leaf.index, leaf.entry_id) for leaf in leaves]
    identifiers = [identifier for _, identifier in order]
    entries = AuditEntry.objects.using(ALIAS).in_bulk(identifiers)
    found = AuditBody.objects.using(ALIAS).in_bulk(identifiers) if bodies else {}
    for index, identifier in order:
        if identifier in entries:  # where one was deleted, the verifier names the gap
            line = {"kind": "entry", "index": index, "entry": leaf_content(entries[identifier])}
            yield _line(line | _body(found.get(identifier)))


def _body(body: AuditBody | None) -> dict[str, Any]:
    if body is None:
        return {}
    # As text, so that a verifier hashes what it reads and need not write fractions as RFC 8785 does.
    return {"salt": base64.b64encode(bytes(body.salt)).decode(), "body": rfc8785.dumps(body.body).decode()}


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
