"""The sealer: takes committed entries in order and appends them to their organisation's log."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import structlog
from django.db import connections, transaction
from django.db.models import Max

from foundation.audit.leaves import hash_of, log_of, origin_of
from foundation.audit.models import AuditEntry, AuditLeaf, Checkpoint, LogTile, SealPosition
from foundation.audit.notes import SignedHead, VerifierKey, sign, verifier_key
from foundation.audit.tiles import Tiles
from foundation.keys import load_or_make_key, load_or_make_keys

KEY_FILE = "log.key"
KEY_VARIABLE = "REMIT_LOG_KEY"
ALIAS = "system"
_LOCK = 7_362_481_001  # of PostgreSQL's advisory locks: one sealer at a time
_PAGE = 5_000

log = structlog.get_logger(__name__)

_NOW = "SELECT (pg_control_system()).system_identifier, pg_snapshot_xmin(pg_current_snapshot())::text"
# Below the snapshot's xmin every transaction has ended, so nothing can still appear before what is sealed now.
# Looking for the leaf matters only where the position begins anew, after a restore.
_IN_ORDER = """
    SELECT * FROM audit_auditentry e
    WHERE epoch = %s AND (xid, id) > (%s::text::xid8, %s::uuid) AND xid < %s::text::xid8
      AND NOT EXISTS (SELECT FROM audit_auditleaf l WHERE l.entry_id = e.id)
    ORDER BY xid, id LIMIT %s
"""
# After a restore into another cluster: whatever is visible of the former one is committed, and nothing is added to it.
_LEFT_BEHIND = """
    SELECT * FROM audit_auditentry e
    WHERE epoch <> %s AND NOT EXISTS (SELECT FROM audit_auditleaf l WHERE l.entry_id = e.id)
    ORDER BY epoch, xid, id LIMIT %s
"""


def seal(limit: int = 5_000) -> int:
    """Seal up to `limit` committed entries of all logs, in one transaction as *system*; says how many.

    Returns 0 at once while another sealer works.
    """
    with transaction.atomic(using=ALIAS):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
            if not cursor.fetchone()[0]:
                return 0
            cursor.execute(_NOW)  # a statement of its own: its snapshot must not be older than the lock
            epoch, horizon = cursor.fetchone()
        entries = _next_entries(epoch, int(horizon), limit)
        by_log: dict[UUID, list[AuditEntry]] = defaultdict(list)
        for entry in entries:
            by_log[log_of(entry.organisation_id)].append(entry)
        for identifier, some in by_log.items():
            _append(identifier, some)
    return len(entries)


def public_keys(organisation: UUID | None) -> list[VerifierKey]:
    """The keys that check the checkpoints of a log, current one first."""
    origin = origin_of(log_of(organisation))
    return [verifier_key(origin, seed) for seed in load_or_make_keys(KEY_FILE, KEY_VARIABLE)]


def stored_tiles(identifier: UUID, size: int) -> Tiles:
    """The tree of a log as it is stored: for proofs, and for publishing (C2SP tlog-tiles)."""

    def load(level: int, index: int) -> bytes:
        tile = LogTile.objects.using(ALIAS).filter(log=identifier, level=level, index=index).first()
        return bytes(tile.hashes) if tile else b""

    return Tiles(size, load)


def _next_entries(epoch: int, horizon: int, limit: int) -> list[AuditEntry]:
    entries = AuditEntry.objects.using(ALIAS)
    position = SealPosition.objects.using(ALIAS).first()
    if position is None or position.epoch != epoch:
        left = list(entries.raw(_LEFT_BEHIND, [epoch, limit]))
        if left:
            return left
        position = SealPosition(id=1, epoch=epoch, xid=0, entry_id=UUID(int=0))
    bounds = [str(position.xid), position.entry_id, str(horizon)]
    found = list(entries.raw(_IN_ORDER, [epoch, *bounds, limit]))
    if found:
        _remember(epoch, found[-1].xid, found[-1].id)
    elif not position.xid:  # begun anew: what is below the horizon need not be looked through again
        _remember(epoch, horizon - 1, UUID(int=2**128 - 1))
    return found


def _remember(epoch: int, xid: int, entry: UUID) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_sealposition (id, epoch, xid, entry_id) VALUES (1, %s, %s::text::xid8, %s) "
            "ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, xid = excluded.xid, entry_id = excluded.entry_id",
            [epoch, str(xid), entry],
        )


def _append(identifier: UUID, entries: Sequence[AuditEntry]) -> None:
    leaves = AuditLeaf.objects.using(ALIAS).filter(log=identifier)
    last = leaves.aggregate(last=Max("index"))["last"]
    size = 0 if last is None else last + 1
    hashes = [hash_of(entry) for entry in entries]
    tiles = _sound_tiles(identifier, size)
    AuditLeaf.objects.using(ALIAS).bulk_create(
        AuditLeaf(log=identifier, index=size + offset, entry_id=entry.id, leaf_hash=digest)
        for offset, (entry, digest) in enumerate(zip(entries, hashes, strict=True))
    )
    if tiles is None:
        # Somebody changed the log. It goes on, but nothing is signed that contradicts what was signed before.
        log.error("the log contradicts its last checkpoint: run verify_record", log=str(identifier))
        return
    for digest in hashes:
        tiles.append(digest)
    _store(identifier, tiles)


def _sound_tiles(identifier: UUID, size: int) -> Tiles | None:
    """The stored tiles, or the same made anew from the leaves; None when both contradict the last checkpoint."""
    head = Checkpoint.objects.using(ALIAS).filter(log=identifier).order_by("-size").first()
    if head is None:
        return Tiles(0, lambda _level, _index: b"") if size == 0 else None
    if size < head.size:
        return None
    stored = stored_tiles(identifier, size)
    if size == head.size and stored.agrees_with(head.size, bytes(head.root_hash)):
        return stored
    made = Tiles(0, lambda _level, _index: b"")
    for digest in _leaf_hashes(identifier):
        made.append(digest)
    return made if made.size == size and made.agrees_with(head.size, bytes(head.root_hash)) else None


def _leaf_hashes(identifier: UUID) -> Iterator[bytes]:
    leaves = AuditLeaf.objects.using(ALIAS).filter(log=identifier).order_by("index")
    start = 0
    while page := list(leaves.filter(index__gte=start).values_list("index", "leaf_hash")[:_PAGE]):
        yield from (bytes(digest) for _, digest in page)
        start = page[-1][0] + 1


def _store(identifier: UUID, tiles: Tiles) -> None:
    _store_tiles(
        LogTile(log=identifier, level=level, index=index, hashes=hashes)
        for (level, index), hashes in tiles.changed.items()
    )
    head = SignedHead(origin_of(identifier), tiles.size, tiles.root())
    note = sign(head, load_or_make_key(KEY_FILE, KEY_VARIABLE))
    Checkpoint.objects.using(ALIAS).create(log=identifier, size=head.size, root_hash=head.root, note=note)


def _store_tiles(tiles: Iterable[LogTile]) -> None:
    LogTile.objects.using(ALIAS).bulk_create(
        tiles, update_conflicts=True, unique_fields=["log", "level", "index"], update_fields=["hashes"]
    )
