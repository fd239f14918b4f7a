"""Access reviews: who has what on a target and below it, and whether it stays."""

from typing import Any, ClassVar

from rest_framework import serializers

from console.api.grants import PrincipalName, TargetName
from foundation.access.guards import UnknownError, find_target
from foundation.access.models import PermittedQuerySet, Review, ReviewItem
from foundation.access.reviews import attest, close_review, open_review, revoke
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read

DECISIONS = {"attest": attest, "revoke": revoke}


class ReviewShape(Shape):
    """`target` and all that is below it are looked at; nothing is decided any more once it is closed."""

    target = TargetName()
    opened_by = PrincipalName()

    class Meta:
        model = Review
        fields = ["id", "name", "target", "opened_by", "due_at", "closed_at", "created_at"]


class ReviewItemShape(Shape):
    """One grant as it was when the review was opened. `last_used_at` is when its holder was last seen to act."""

    principal = PrincipalName()
    target = TargetName()
    decided_by = PrincipalName(allow_null=True)

    class Meta:
        model = ReviewItem
        fields = ["id", "grant", "principal", "role", "target", "last_used_at", "verdict", "decided_by", "decided_at",
                  "note"]  # fmt: skip


class OpenReview(Body):
    """`target` is the id of the organisation, a team or an agent."""

    name = serializers.CharField(max_length=120)
    target = serializers.UUIDField()
    due_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class DecideItem(Body):
    """`attest`: the grant is still needed. `revoke`: it is withdrawn at once."""

    item = serializers.UUIDField()
    decision = serializers.ChoiceField(choices=[(one, one) for one in DECISIONS])
    note = serializers.CharField(max_length=300, allow_blank=True, default="")


class ReviewEndpoints(Read):
    """Reviews on what the reader may see the grants of."""

    rows: ClassVar[PermittedQuerySet[Review]] = PermittedQuerySet(Review).select_related("target", "opened_by")
    shape = ReviewShape
    permission = Permission.GRANT_VIEW
    filterset_fields = ["target"]

    @operation("Open an access review", Permission.GRANT_MANAGE, body=OpenReview, status=201)
    def create(self, values: Any) -> Review:
        """Every live grant on the target and below it is to be attested or withdrawn."""
        target = find_target(self.actor, self.named, values.pop("target"), "target of a review")
        return open_review(actor=self.actor, target=target, **values)

    @verb("get", "items", "List the grants of a review", Permission.GRANT_VIEW, answer=ReviewItemShape, many=True)
    def items(self, _values: Any) -> Any:
        """With what was said of each."""
        return ReviewItem.objects.filter(review=self.get_object()).select_related("principal", "target", "decided_by")

    @verb("post", "decide", "Attest or revoke a grant under review", Permission.GRANT_MANAGE, body=DecideItem,
          answer=ReviewItemShape)  # fmt: skip
    def decide(self, values: Any) -> ReviewItem:
        """Nobody decides on their own access."""
        items = ReviewItem.objects.select_related("review", "principal", "target", "decided_by")
        item = items.filter(review=self.get_object(), pk=values["item"]).first()
        if item is None:
            raise UnknownError("item of this review")
        return DECISIONS[values["decision"]](actor=self.actor, item=item, note=values["note"])

    @verb("post", "close", "Close an access review", Permission.GRANT_MANAGE)
    def close(self, _values: Any) -> Review:
        """When nothing in it is open any more."""
        return close_review(actor=self.actor, review=self.get_object())
