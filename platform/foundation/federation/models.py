"""An organisation's identity providers (OpenID Connect), and what their groups mean here."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from foundation.access.models import Role
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel


class IdentityProvider(TenantModel):
    """Where people of an organisation sign in by OpenID Connect.

    `issuer` is its address, below which `/.well-known/openid-configuration` stands. `secret` is sealed. `domains` are
    the e-mail domains whose people it vouches for; nobody else comes in through it. `provisions`: who is unknown
    becomes a person here at first sign-in (just in time). `required`: people of these domains sign in here and in no
    other way. `groups_claim` names the claim that lists a person's groups.
    """

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    issuer = models.URLField(max_length=300)
    client_id = models.CharField(max_length=200)
    secret = models.BinaryField()
    domains = ArrayField(models.CharField(max_length=253), default=list)
    groups_claim = models.CharField(max_length=60, default="groups")
    provisions = models.BooleanField(default=True)
    required = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name


class GroupMapping(TenantModel):
    """What a group at the identity provider means here: a role on a target, while the person is in it."""

    provider = TenantForeignKey(IdentityProvider, models.CASCADE, related_name="mappings")
    group = models.CharField(max_length=200)
    role = models.CharField(max_length=60)
    custom_role = TenantForeignKey(Role, null=True, blank=True, related_name="+")
    target = TenantForeignKey(GrantTarget, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["provider", "group", "role", "target"], name="group_mapping_once")
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.role}"


class FederatedIdentity(TenantModel):
    """A person of this organisation as an identity provider knows it: its subject there, for ever the same."""

    provider = TenantForeignKey(IdentityProvider, models.CASCADE, related_name="identities")
    principal = TenantForeignKey(Principal, related_name="+")
    subject = models.CharField(max_length=255)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["provider", "subject"], name="federated_identity_once")]

    def __str__(self) -> str:
        return self.subject
