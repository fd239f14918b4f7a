"""Writing the record: in the transaction of the change, or, for a refusal, in one of its own."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError

from foundation.actors import Actor
from foundation.audit.models import Outcome
from foundation.audit.plain import plain, plain_text
from foundation.batches import Batch, Cursor
from foundation.digests import canonical
from foundation.ids import uuid7
from foundation.tenancy.context import tenant

MAX_DETAILS = 16_384  # bytes of canonical JSON; more belongs into the body
_SALT = 32
_STATEMENT = 1_000  # rows in one statement; a statement has 65,535 parameters at most
_COLUMNS = (
    "id", "organisation_id", "actor_kind", "actor_id", "actor_name", "actor_chain", "method", "action", "target_kind",
    "target_id", "target_name", "outcome", "reason", "details", "body_digest", "run_id", "step", "request_id",
    "address",
)  # fmt: skip


# One parameter, whatever the number of entries: the statement is the same, and is prepared once.
_ADD = f"""
INSERT INTO audit_auditentry ({", ".join(_COLUMNS)})
SELECT {", ".join(_COLUMNS)} FROM json_to_recordset(:entries) AS x(id uuid, organisation_id uuid,
    actor_kind text, actor_id uuid, actor_name text, actor_chain jsonb, method text, action text, target_kind text,
    target_id uuid, target_name text, outcome text, reason text, details jsonb, body_digest text, run_id uuid, step int,
    request_id text, address text)
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line to be recorded; make it with `entry`. `body` is JSON that may be erased later, or None for none."""

    actor: Actor
    action: str
    organisation: UUID | None
    target_kind: str = ""
    target_id: UUID | None = None
    target_name: str = ""
    outcome: Outcome = Outcome.OK
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    run: UUID | None = None
    step: int | None = None
    id: UUID = field(default_factory=uuid7)


def entry(
    actor: Actor,
    action: str,
    *,
    target_kind: str = "",
    target_id: UUID | None = None,
    target_name: str = "",
    outcome: str = "ok",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    body: Any = None,
    organisation: UUID | None = None,
    run: UUID | None = None,
    step: int | None = None,
    ours: bool = False,
) -> Entry:
    """Say what happened. `action` is a dotted code such as `run.start`; `outcome` ok, denied, failed or asked.

    `details` are small plain values that stay for ever; what is large or personal goes into `body`. Organisation
    and run are the actor's unless they are given. `ours`: the details are small, and made of nothing but plain values
    that the database holds already, or of our own making. Raises ValueError or TypeError for what it cannot hold.
    """
    small: Mapping[str, Any] = (details if ours else plain(details)) if details else {}
    if not ours and len(orjson.dumps(small)) > MAX_DETAILS:
        raise ValueError(f"The details of {action} exceed {MAX_DETAILS} bytes: put them into the body.")
    if actor.key is not None:
        # Of several keys of one principal, the one that was lost must be found.
        small = {**small, "api_key": str(actor.key)}
    return Entry(
        actor=actor,
        action=action,
        organisation=organisation or actor.organisation,
        target_kind=target_kind,
        target_id=target_id,
        target_name=target_name,
        outcome=Outcome(outcome),
        reason=reason,
        details=small,
        body=None if body is None else plain(body, fractions=True),
        run=run or actor.run,
        step=step,
    )


def record(*entries: Entry, using: str = "default", cursor: Cursor | None = None) -> None:
    """Write entries with one statement in the caller's transaction (and their bodies with a second).

    Raises TransactionManagementError when no transaction is open: an entry stands or falls with what it tells.
    A caller that brings its own `cursor` answers for its transaction.
    """
    if not entries:
        return
    if cursor is not None:
        _write(entries, cursor)
        return
    connection = connections[using]
    if not connection.in_atomic_block:
        raise TransactionManagementError("record() needs the transaction of the change: open one with atomic().")
    with connection.cursor() as own:
        _write(entries, own)


def record_refusal(*entries: Entry) -> None:
    """Write entries in a transaction of their own: call it after the refused act has been rolled back."""
    for organisation in dict.fromkeys(item.organisation for item in entries):
        with transaction.atomic(durable=True), tenant(organisation) if organisation else nullcontext():
            record(*(item for item in entries if item.organisation == organisation))


def body_digest(salt: bytes, body: Any) -> str:
    """The salted digest of a body, with its algorithm's name. The salt goes with the body when that is erased."""
    return "sha256:" + hashlib.sha256(salt + canonical(body)).hexdigest()


def _write(entries: Iterable[Entry], cursor: Cursor) -> None:
    rows: list[dict[str, Any]] = []
    bodies: list[tuple[Any, ...]] = []
    for item in entries:
        digest = ""
        if item.body is not None:
            salt = secrets.token_bytes(_SALT)
            digest = body_digest(salt, item.body)
            bodies.append((item.id, item.organisation, salt, json.dumps(item.body)))
        rows.append(_row(item, digest))
    batch = cursor if isinstance(cursor, Batch) else Batch(cursor)
    batch.add("entries", _ADD, rows)
    if batch is not cursor:
        batch.flush()
    if bodies:
        _insert(cursor, "audit_auditbody", ("entry_id", "organisation_id", "salt", "body"), bodies)


def _insert(cursor: Cursor, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    names, marks = ", ".join(columns), "(" + ", ".join(["%s"] * len(columns)) + ")"
    for start in range(0, len(rows), _STATEMENT):
        some = rows[start : start + _STATEMENT]
        values = ", ".join([marks] * len(some))
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES {values}", [value for row in some for value in row])  # noqa: S608 - names of ours


def _row(item: Entry, digest: str) -> dict[str, Any]:
    actor = item.actor
    return {
        "id": item.id,
        "organisation_id": item.organisation,
        "actor_kind": actor.kind,
        "actor_id": actor.principal,
        "actor_name": plain_text(actor.name),
        "actor_chain": actor.chain,
        "method": actor.method,
        "action": item.action,
        "target_kind": item.target_kind,
        "target_id": item.target_id,
        "target_name": plain_text(item.target_name),
        "outcome": item.outcome,
        "reason": plain_text(item.reason),
        "details": item.details,
        "body_digest": digest,
        "run_id": item.run,
        "step": item.step,
        "request_id": plain_text(actor.request),
        "address": plain_text(actor.address),
    }
