"""People and groups as a directory keeps them here (SCIM 2.0, RFC 7643 and 7644)."""

from django.db import models
from django.db.models.functions import Lower

from foundation.identity.models import Principal
from foundation.tenancy.models import TenantForeignKey, TenantModel


class ProvisionedResource(TenantModel):
    """A principal that a directory keeps: its names there, and the attributes as the directory wrote them."""

    class Kind(models.TextChoices):
        """The resource type of SCIM."""

        USER = "User"
        GROUP = "Group"

    kind = models.CharField(max_length=5, choices=Kind)
    principal = TenantForeignKey(Principal, related_name="+")
    external_id = models.CharField(max_length=255, blank=True)
    user_name = models.CharField(max_length=254, blank=True)
    attributes = models.JSONField(default=dict)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["principal"], name="provisioned_once"),
            models.UniqueConstraint(
                fields=["organisation", "kind", "external_id"], condition=~models.Q(external_id=""),
                name="provisioned_external_id",
            ),
            models.UniqueConstraint(
                Lower("user_name"), "organisation", condition=~models.Q(user_name=""), name="provisioned_user_name"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id or self.user_name}"
