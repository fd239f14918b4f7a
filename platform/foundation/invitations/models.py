"""Invitations into an organisation, by a link that counts once."""

from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Now

from foundation.access.models import PermittedQuerySet, Role
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel


class InvitationQuerySet(PermittedQuerySet["Invitation"]):
    """Words on invitations."""

    def pending(self) -> Self:
        """Those that can still be accepted."""
        return self.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=Now())


class Invitation(TenantModel):
    """A person was asked to join, with a role on a target; an empty role is none yet. Only the link's digest is kept.

    Whoever opens the link must sign in as (or become) the user with this address.
    """

    target_path: ClassVar[str] = ""
    email = models.EmailField()
    name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=60)
    custom_role = TenantForeignKey(Role, null=True, blank=True, related_name="+")
    target = TenantForeignKey(GrantTarget, related_name="+")
    invited_by = TenantForeignKey(Principal, null=True, blank=True, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.email
