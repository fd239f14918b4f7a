"""What of an entry is sealed: its leaf. Every column is in it but those that only order it."""

from typing import Any
from uuid import UUID

import rfc8785

from foundation.audit.merkle import leaf_hash
from foundation.audit.models import INSTALLATION, AuditEntry
from foundation.audit.plain import instant

VERSION = 1


def leaf_content(entry: AuditEntry) -> dict[str, Any]:
    """The leaf as plain values; docs/record.md describes each."""
    return {
        "v": VERSION,
        "id": str(entry.id),
        "organisation": _name(entry.organisation_id),
        "at": instant(entry.at),
        "actor": {
            "kind": entry.actor_kind,
            "id": _name(entry.actor_id),
            "name": entry.actor_name,
            "chain": entry.actor_chain,
            "method": entry.method,
        },
        "action": entry.action,
        "target": {"kind": entry.target_kind, "id": _name(entry.target_id), "name": entry.target_name},
        "outcome": entry.outcome,
        "reason": entry.reason,
        "details": entry.details,
        "body_digest": entry.body_digest,
        "run": _name(entry.run_id),
        "step": entry.step,
        "request": entry.request_id,
        "address": entry.address,
    }


def hash_of(entry: AuditEntry) -> bytes:
    """The leaf hash: RFC 6962 over RFC 8785."""
    return leaf_hash(rfc8785.dumps(leaf_content(entry)))


def log_of(organisation: UUID | None) -> UUID:
    """The id of the log that an organisation's entries go to; None is the installation's."""
    return organisation or INSTALLATION


def origin_of(log: UUID) -> str:
    """The name of a log in its checkpoints."""
    return f"remit/{log}"


def _name(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)
