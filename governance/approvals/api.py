"""REST endpoints of approvals."""

from typing import Any

from rest_framework import serializers

from agents.runs.body_shapes import AskedField, BodyEndpoints
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from governance.approvals.models import ApprovalRequest, Vote
from governance.approvals.services import approve, deny


class VoteShape(Shape):
    """One person's answer."""

    class Meta:
        model = Vote
        fields = ["id", "principal", "approve", "reason", "created_at"]


class ApprovalShape(Shape):
    """An ask that waits for people, bound to one exact act by its `digest`."""

    class Meta:
        model = ApprovalRequest
        fields = [
            "id", "run", "step", "requester", "decision_id", "tool", "question", "risk", "reasons", "approvers",
            "quorum", "state", "digest", "expires_at", "decided_at", "created_at",
        ]  # fmt: skip


class WholeApprovalShape(ApprovalShape):
    """With what determined the ask, the votes, and the exact call: for whoever may decide, and for auditors."""

    arguments = AskedField()
    votes = VoteShape(many=True)

    class Meta(ApprovalShape.Meta):
        fields = [*ApprovalShape.Meta.fields, "arguments", "determinants", "label", "votes"]


class Approve(Body):
    """`digest` is that of the act that you have seen: if it is another one now, nothing is approved."""

    digest = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class Deny(Body):
    """Why not; the agent is told."""

    reason = serializers.CharField(max_length=500)


class ApprovalEndpoints(BodyEndpoints, Read):
    """Asks on the agents that one may see."""

    rows = ApprovalRequest.objects.all()
    shape = ApprovalShape
    permission = Permission.APPROVAL_VIEW
    other = Permission.APPROVAL_DECIDE
    filterset_fields = ["state", "risk", "run", "tool"]

    @operation("Show one {noun}", answer=WholeApprovalShape)
    def retrieve(self, _values: Any) -> ApprovalRequest:
        """With the exact act."""
        return self._whole()

    @verb("post", "approve", "Approve the exact act", Permission.APPROVAL_DECIDE, body=Approve,
          answer=WholeApprovalShape)  # fmt: skip
    def approve(self, values: Any) -> ApprovalRequest:
        """Only a person, never the requester."""
        approve(actor=self.actor, request=self.get_object(), digest=values["digest"], reason=values["reason"])
        return self._whole()

    @verb("post", "deny", "Deny the act", Permission.APPROVAL_DECIDE, body=Deny, answer=WholeApprovalShape)
    def deny(self, values: Any) -> ApprovalRequest:
        """The run goes on without it."""
        deny(actor=self.actor, request=self.get_object(), reason=values["reason"])
        return self._whole()

    def _whole(self) -> ApprovalRequest:
        found: ApprovalRequest = self.find(self.rows.prefetch_related("votes"), self.kwargs["id"])
        return found
