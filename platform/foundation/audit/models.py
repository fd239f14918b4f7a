"""The record's rows. All are plain values without relations: they outlive whatever they speak of."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from foundation.audit.fields import ClockTimestamp, CurrentEpoch, CurrentTransaction, TransactionIdField
from foundation.audit.queries import AppendOnlyError, AuditEntryQuerySet
from foundation.ids import uuid7

INSTALLATION = UUID(int=0)  # the log of entries that belong to no organisation


class Outcome(models.TextChoices):
    """How an act ended."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"
    ASKED = "asked"


class AuditEntry(models.Model):
    """One line of the record. `xid` and `epoch` only order it; all other columns are in its leaf."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organisation_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=ClockTimestamp())
    xid = TransactionIdField(db_default=CurrentTransaction())
    epoch = models.BigIntegerField(db_default=CurrentEpoch())
    actor_kind = models.TextField()
    actor_id = models.UUIDField(null=True)
    actor_name = models.TextField()
    actor_chain = models.JSONField(default=list)
    method = models.TextField()
    action = models.TextField()
    target_kind = models.TextField(default="")
    target_id = models.UUIDField(null=True)
    target_name = models.TextField(default="")
    outcome = models.TextField(choices=Outcome)
    reason = models.TextField(default="")
    details = models.JSONField(default=dict)
    body_digest = models.TextField(default="")
    run_id = models.UUIDField(null=True)
    step = models.IntegerField(null=True)
    request_id = models.TextField(default="")
    address = models.TextField(default="")

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organisation_id", "id"], name="audit_organisation"),
            models.Index(fields=["epoch", "xid", "id"], name="audit_order"),
            models.Index(fields=["run_id", "id"], name="audit_run", condition=Q(run_id__isnull=False)),
            models.Index(fields=["target_id", "id"], name="audit_target", condition=Q(target_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.target_name} ({self.outcome})"

    def save(self, *_args: Any, **_kwargs: Any) -> None:
        """Refused: `record()` writes entries."""
        raise AppendOnlyError("The record is append-only: write it with foundation.audit.record.")

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise AppendOnlyError("The record is append-only: an entry is never deleted.")


class AuditBody(models.Model):
    """What is large or personal about an entry; it may be erased, its salted digest stays in the entry."""

    entry_id = models.UUIDField(primary_key=True)
    organisation_id = models.UUIDField(null=True)
    salt = models.BinaryField(max_length=32)
    body = models.JSONField()

    class Meta:
        verbose_name_plural = "audit bodies"

    def __str__(self) -> str:
        return str(self.entry_id)


class AuditLeaf(models.Model):
    """The place of an entry in its log. `log` is the organisation's id, or INSTALLATION."""

    pk = models.CompositePrimaryKey("log", "index")
    log = models.UUIDField()
    index = models.BigIntegerField()
    entry_id = models.UUIDField(unique=True)
    leaf_hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.log}/{self.index}"


class LogTile(models.Model):
    """Up to 256 hashes of a log's tree, joined; see `tiles`."""

    pk = models.CompositePrimaryKey("log", "level", "index")
    log = models.UUIDField()
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.log}/{self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed head of a log: so many entries, this root."""

    pk = models.CompositePrimaryKey("log", "size")
    log = models.UUIDField()
    size = models.BigIntegerField()
    root_hash = models.BinaryField(max_length=32)
    note = models.TextField()
    at = models.DateTimeField(db_default=ClockTimestamp())

    def __str__(self) -> str:
        return f"{self.log} at {self.size}"


class SealPosition(models.Model):
    """How far the sealer has come in the cluster `epoch`: everything up to (xid, entry_id) has its leaf. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.BigIntegerField()
    xid = TransactionIdField()
    entry_id = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.epoch}: {self.xid}"
