"""An organisation's identity providers (OpenID Connect), and what their groups mean here."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from foundation.identity.models import Principal
from foundation.tenancy.models import TenantForeignKey, TenantModel


class IdentityProvider(TenantModel):
    """Where people of an organisation sign in by OpenID Connect.

    `issuer` is its address, below which `/.well-known/openid-configuration` stands. `domains` are
    the e-mail domains whose people it vouches for; nobody else comes in through it. `provisions`: who is unknown
    becomes a person here at first sign-in (just in time). `required`: people of these domains sign in here and in no
    other way. `groups_claim` names the claim that lists a person's groups. `strength` is what whoever configured it
    could do in the whole organisation then: it brings nobody more than that. Empty: nobody knows, and so nothing.
    """

    target_path: ClassVar[str] = ""
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    issuer = models.URLField(max_length=300)
    client_id = models.CharField(max_length=200)
    sealed_secret = models.TextField()
    domains = ArrayField(models.CharField(max_length=253), default=list)
    groups_claim = models.CharField(max_length=60, default="groups")
    provisions = models.BooleanField(default=True)
    required = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    configured_by = models.UUIDField(null=True, blank=True)  # a principal; none for the shell
    strength = ArrayField(models.CharField(max_length=60), null=True, blank=True)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name


class GroupMapping(TenantModel):
    """What a group at the identity provider means here: a group of ours, which people join and leave at each sign-in.

    What it may do are the grants of `principal`, as with any group. `mapped_by` are those who have given it a role.
    """

    target_path: ClassVar[str] = ""
    provider = TenantForeignKey(IdentityProvider, models.CASCADE, related_name="mappings")
    group = models.CharField(max_length=200)
    principal = TenantForeignKey(Principal, related_name="+")
    mapped_by = ArrayField(models.UUIDField(), null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["provider", "group"], name="group_mapping_once")]

    def __str__(self) -> str:
        return self.group


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
