"""Verbs on the bodies of entries: reading one is recorded, and so is erasing it."""

from typing import Any
from uuid import UUID

from django.db import transaction

from foundation.actors import Actor
from foundation.audit.models import AuditBody, AuditEntry
from foundation.audit.record import entry, record


def read_body(*, actor: Actor, of: AuditEntry) -> Any:
    """The body of an entry, or None where there is none or it was erased. Needs the organisation's transaction."""
    body = AuditBody.objects.filter(entry_id=of.id).first()
    record(
        entry(actor, "record.read_body", target_kind="audit_entry", target_id=of.id, details={"erased": body is None})
    )
    return None if body is None else body.body


@transaction.atomic(using="system")
def erase_body(*, actor: Actor, organisation: UUID | None, entry_id: UUID, reason: str) -> bool:
    """Erase body and salt of an entry for good; says whether there was one. The log stays verifiable.

    It runs as *system*: no request's own role can erase. The caller has checked the actor's right.
    """
    bodies = AuditBody.objects.using("system").filter(entry_id=entry_id, organisation_id=organisation)
    erased, _ = bodies.delete()
    record(
        entry(actor, "record.erase_body", target_kind="audit_entry", target_id=entry_id, organisation=organisation,
              reason=reason, details={"found": bool(erased)}),
        using="system",
    )  # fmt: skip
    return bool(erased)
