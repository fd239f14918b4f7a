"""What a person lets an agent do in its name, and the tokens that were used up."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from foundation.access.models import PermittedQuerySet
from foundation.identity.models import Principal
from foundation.tenancy.models import TenantForeignKey, TenantModel


class DelegationGrant(TenantModel):
    """A principal lets another act in its name: person to agent, and from there agent to sub-agent (`parent`).

    `person` is the first giver: whose power it is. `scopes` names what may be done (permissions, `tool:<name>`,
    `agent:<slug>`; `tool:*` is any tool; empty is nothing), `audience` at whom (audiences of connectors, or `remit`). A
    child never has more than its parent: effective rights are the intersection.
    """

    # An agent's id is also that of its target: whoever may see the agent sees what was given to it.
    target_path: ClassVar[str] = "receiver"
    person = TenantForeignKey(Principal, related_name="+")
    giver = TenantForeignKey(Principal, related_name="+")
    receiver = TenantForeignKey(Principal, related_name="delegations")
    parent = TenantForeignKey("self", null=True, blank=True, related_name="children")
    scopes = ArrayField(models.CharField(max_length=120), default=list)
    audience = ArrayField(models.CharField(max_length=120), default=list)
    reason = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = PermittedQuerySet["DelegationGrant"].as_manager()

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.giver_id} to {self.receiver_id}"


class SpentToken(TenantModel):
    """A token that counts once, and was used: kept until it would have expired anyway."""

    jti = models.UUIDField(unique=True)
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return str(self.jti)
