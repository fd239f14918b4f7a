"""The record: who did what, when, why; and whether it is still as it was signed."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound

from foundation.access.roles import Permission
from foundation.api.operations import verb
from foundation.api.serializers import Shape
from foundation.api.viewsets import Read
from foundation.api.wide import NarrowQuerySet
from foundation.audit.models import AuditEntry, Checkpoint
from foundation.audit.sealing import public_keys
from foundation.audit.verification import VerificationResult, verify


class AuditEntryShape(Shape):
    """One line. `body_digest` stands for a body that is kept apart, because it is large or personal."""

    class Meta:
        model = AuditEntry
        fields = [
            "id", "at", "actor_kind", "actor_id", "actor_name", "actor_chain", "method", "action", "target_kind",
            "target_id", "target_name", "outcome", "reason", "details", "body_digest", "run_id", "step", "request_id",
            "address",
        ]  # fmt: skip


class VerificationShape(serializers.Serializer[VerificationResult]):
    """`first_bad` is the number, from 0, of the first entry that is not as it was signed."""

    ok = serializers.BooleanField()
    size = serializers.IntegerField()
    first_bad = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()


class CheckpointShape(serializers.Serializer[Any]):
    """The newest signed head of the log, as a C2SP signed note, and the keys that check it."""

    size = serializers.IntegerField()
    root_hash = serializers.CharField(help_text="Hexadecimal.")
    note = serializers.CharField()
    keys = serializers.ListField(child=serializers.CharField())
    at = serializers.DateTimeField()


class AuditEndpoints(Read):
    """The record of the organisation, for those who may see the whole of it."""

    rows = NarrowQuerySet(AuditEntry)
    shape = AuditEntryShape
    permission = Permission.AUDIT_VIEW
    filterset_fields = {
        "actor_id": ["exact"], "action": ["exact", "startswith"], "outcome": ["exact"], "target_id": ["exact"],
        "run_id": ["exact"], "request_id": ["exact"], "at": ["gte", "lt"],
    }  # fmt: skip

    @verb("post", "verify", "Verify the record against its signed checkpoints", Permission.AUDIT_VIEW, detail=False,
          answer=VerificationShape)  # fmt: skip
    def verify(self, _values: Any) -> VerificationResult:
        """Every leaf from its entry, every root from its leaves, every signature."""
        self.require()
        return verify(self.actor.organisation)

    @verb("get", "checkpoint", "Show the newest signed checkpoint", Permission.AUDIT_VIEW, detail=False,
          answer=CheckpointShape)  # fmt: skip
    def checkpoint(self, _values: Any) -> dict[str, Any]:
        """To be kept elsewhere: it is what a later verification is measured with."""
        self.require()
        head = Checkpoint.objects.filter(log=self.organisation_id).order_by("-size").first()
        if head is None:
            raise NotFound("Nothing is sealed yet: the sealer works every few seconds, ask again.")
        keys = [str(key) for key in public_keys(self.actor.organisation)]
        return {"size": head.size, "root_hash": bytes(head.root_hash).hex(), "note": head.note, "keys": keys,
                "at": head.at}  # fmt: skip
