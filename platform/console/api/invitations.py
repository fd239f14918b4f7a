"""Invitations: people who were asked to join."""

from typing import Any, ClassVar

from rest_framework import serializers

from console.api.grants import PrincipalName, TargetName
from foundation.access.guards import find_target
from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from foundation.invitations.models import Invitation, InvitationQuerySet
from foundation.invitations.services import invite, withdraw_invitation


class InvitationShape(Shape):
    """Open until it is accepted, withdrawn or too old."""

    target = TargetName()
    invited_by = PrincipalName()

    class Meta:
        model = Invitation
        fields = ["id", "email", "name", "role", "target", "invited_by", "expires_at", "sent_at", "accepted_at",
                  "withdrawn_at", "created_at"]  # fmt: skip


class NewInvitationShape(InvitationShape):
    """`link` is shown this once, and only if no mail has carried it: hand it over yourself."""

    link = serializers.CharField()

    class Meta(InvitationShape.Meta):
        fields = [*InvitationShape.Meta.fields, "link"]


class Invite(Body):
    """Who is asked to join, with which role on what (none yet, if it is left out); the link lives so many days."""

    email = serializers.EmailField()
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
    role = serializers.CharField(max_length=60, allow_blank=True, default="")
    target = serializers.UUIDField(allow_null=True, default=None)
    days = serializers.IntegerField(min_value=1, max_value=30, default=7)


class InvitationEndpoints(Read):
    """Who was asked to join."""

    rows: ClassVar[Any] = InvitationQuerySet(Invitation).select_related("target", "invited_by")
    shape = InvitationShape
    permission = Permission.PERSON_MANAGE

    @operation("Invite somebody", Permission.PERSON_MANAGE, body=Invite, answer=NewInvitationShape, status=201,
               shown_once=True)  # fmt: skip
    def create(self, values: Any) -> Invitation:
        """By mail if this installation sends mail; else the answer holds the link."""
        self.require()
        target = find_target(self.actor, self.named, values.pop("target") or self.organisation_id)
        invited = invite(actor=self.actor, organisation=self.organisation, target=target, **values)
        setattr(invited.invitation, "link", invited.link)  # noqa: B010 - for the shape of this one answer
        return invited.invitation

    @operation("Withdraw an invitation", Permission.PERSON_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """Its link opens nothing any more."""
        withdraw_invitation(actor=self.actor, invitation=self.get_object())
