"""Verifying a log where it lies: every leaf from its entry, every root from its leaves, every signature."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connections, transaction

from foundation.audit.leaves import hash_of, log_of, origin_of
from foundation.audit.merkle import CompactRange
from foundation.audit.models import AuditBody, AuditEntry, AuditLeaf, Checkpoint
from foundation.audit.notes import NoteInvalidError, SignedHead, VerifierKey, open_note
from foundation.audit.record import body_digest
from foundation.audit.sealing import ALIAS, public_keys, stored_tiles

_PAGE = 1_000
# Entries that the sealer has passed by: they were put in afterwards.
_WITHOUT_LEAF = """
    SELECT e.id FROM audit_auditentry e, audit_sealposition p
    WHERE e.organisation_id IS NOT DISTINCT FROM %s
      AND NOT EXISTS (SELECT FROM audit_auditleaf l WHERE l.entry_id = e.id)
      AND CASE WHEN e.epoch = p.epoch THEN (e.xid, e.id) <= (p.xid, p.entry_id)
               ELSE p.epoch = (pg_control_system()).system_identifier END
    ORDER BY e.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What was found. `first_bad` is the sequence number (from 0) of the first entry that is not as it was signed."""

    ok: bool
    size: int
    first_bad: int | None
    message: str


class _FaultError(Exception):
    def __init__(self, index: int | None, message: str) -> None:
        super().__init__(message)
        self.index = index


def verify(organisation: UUID | None, *, witnessed: str = "") -> VerificationResult:
    """Verify the log of an organisation (None: the installation's) against its checkpoints.

    `witnessed` is a checkpoint kept elsewhere: only with one is the cutting off of the newest entries, together with
    their checkpoints, found for certain.
    """
    keys = public_keys(organisation)
    heads: list[SignedHead] = []
    try:
        with transaction.atomic(using=ALIAS, durable=True):
            _stand_still()
            heads += _signed_heads(log_of(organisation), keys)
            if witnessed:
                heads.append(_opened(witnessed, keys))
                heads.sort(key=lambda head: head.size)
            _check_leaves(log_of(organisation), organisation, heads)
            _check_nothing_was_put_in(organisation)
    except _FaultError as fault:
        size = heads[-1].size if heads else 0
        return VerificationResult(ok=False, size=size, first_bad=fault.index, message=str(fault))
    size = heads[-1].size if heads else 0
    message = f"{size} entries are as they were signed in {len(heads)} checkpoints."
    return VerificationResult(ok=True, size=size, first_bad=None, message=message)


def _stand_still() -> None:
    # One snapshot for all that follows: the sealer may be at work.
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _signed_heads(log: UUID, keys: list[VerifierKey]) -> list[SignedHead]:
    heads: list[SignedHead] = []
    for stored in Checkpoint.objects.using(ALIAS).filter(log=log).order_by("size"):
        head = _opened(stored.note, keys)
        if head != SignedHead(origin_of(log), stored.size, bytes(stored.root_hash)):
            raise _FaultError(None, f"The checkpoint at {stored.size} differs from what was signed.")
        heads.append(head)
    return heads


def _opened(note: str, keys: list[VerifierKey]) -> SignedHead:
    for key in keys:
        try:
            head = open_note(note, key)
        except NoteInvalidError:
            continue
        if head.origin != key.name:
            raise _FaultError(None, f"A checkpoint of {head.origin} does not belong to {key.name}.")
        return head
    raise _FaultError(None, "A checkpoint bears no signature of this installation.")


def _check_leaves(log: UUID, organisation: UUID | None, heads: list[SignedHead]) -> None:
    tree, waiting = CompactRange(), list(reversed(heads))
    sound = 0  # entries below are proved by a signed root
    for leaf, entry, body in _leaves(log):
        if leaf.index != tree.size:
            raise _FaultError(tree.size, f"Entry {tree.size} is missing from the log.")
        _check_entry(leaf, entry, body, organisation)
        tree.append(bytes(leaf.leaf_hash))
        while waiting and waiting[-1].size == tree.size:
            head = waiting.pop()
            if tree.root() != head.root:
                first = _first_in_doubt(log, head, sound)
                raise _FaultError(first, f"Entries {first} to {tree.size - 1} are not as they were signed.")
            sound = tree.size
    if waiting:
        first = _first_in_doubt(log, waiting[0], sound)
        raise _FaultError(
            first, f"From entry {first} on the log was cut off or changed: {waiting[0].size} were signed."
        )
    if sound < tree.size:
        raise _FaultError(sound, f"No checkpoint signs the entries from {sound} on.")


def _first_in_doubt(log: UUID, head: SignedHead, sound: int) -> int:
    """The first entry that is not as it was signed at `head`; the tiles know, unless they were changed as well."""
    tiles = stored_tiles(log, head.size)
    if not tiles.agrees_with(head.size, head.root):
        return sound
    leaves = AuditLeaf.objects.using(ALIAS).filter(log=log, index__gte=sound, index__lt=head.size)
    found = {index: bytes(digest) for index, digest in leaves.values_list("index", "leaf_hash")}
    return next((index for index in range(sound, head.size) if found.get(index) != tiles.node(0, index)), sound)


def _leaves(log: UUID) -> Iterator[tuple[AuditLeaf, AuditEntry | None, AuditBody | None]]:
    leaves = AuditLeaf.objects.using(ALIAS).filter(log=log).order_by("index")
    start = 0
    while page := list(leaves.filter(index__gte=start)[:_PAGE]):
        identifiers = [leaf.entry_id for leaf in page]
        entries = AuditEntry.objects.using(ALIAS).in_bulk(identifiers)
        bodies = AuditBody.objects.using(ALIAS).in_bulk(identifiers)
        for leaf in page:
            yield leaf, entries.get(leaf.entry_id), bodies.get(leaf.entry_id)
        start = page[-1].index + 1


def _check_entry(leaf: AuditLeaf, entry: AuditEntry | None, body: AuditBody | None, organisation: UUID | None) -> None:
    number = leaf.index
    if entry is None:
        raise _FaultError(number, f"Entry {number} ({leaf.entry_id}) was deleted.")
    if entry.organisation_id != organisation or hash_of(entry) != bytes(leaf.leaf_hash):
        raise _FaultError(number, f"Entry {number} ({leaf.entry_id}) was changed.")
    if body and body_digest(bytes(body.salt), body.body) != entry.body_digest:
        raise _FaultError(number, f"The body of entry {number} ({leaf.entry_id}) was changed.")


def _check_nothing_was_put_in(organisation: UUID | None) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_WITHOUT_LEAF, [organisation])
        row = cursor.fetchone()
    if row:
        raise _FaultError(None, f"Entry {row[0]} was put in after its time: it has no place in the log.")
