"""Whoever acts. People sign in as users; in an organisation each is a principal, as agents and services are.

Users, sign-in links and web sessions stand outside the organisations: they are the exceptions of tenancy.
"""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Now

from foundation.ids import uuid7
from foundation.tenancy.models import Identified, TenantForeignKey, TenantModel


class User(AbstractBaseUser):
    """A person who signs in, with one e-mail address over all organisations.

    Not `proved`: the password was set with a link that was shown to whoever invited, and nothing has shown since that
    the address is theirs. `sessions_from`: what signed in, or was made to sign in with, before that counts no longer.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    proved = models.BooleanField(default=True, db_default=True)
    sessions_from = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    objects = BaseUserManager["User"]()

    def __str__(self) -> str:
        return self.name


class PrincipalKind(models.TextChoices):
    """What kind of principal."""

    PERSON = "person"
    AGENT = "agent"
    SERVICE = "service"
    GROUP = "group"  # people and services together: grants to it are grants to each of them


class PrincipalState(models.TextChoices):
    """Whether a principal may act."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"  # for good: what it stood for was handed over to others


class Principal(TenantModel):
    """Whoever acts in an organisation: a person, an agent, or a service; or a group of people and services.

    What `directory` says is kept by a directory over SCIM is not edited by hand.
    """

    kind = models.CharField(max_length=8, choices=PrincipalKind)
    name = models.CharField(max_length=160)
    state = models.CharField(max_length=9, choices=PrincipalState, default=PrincipalState.ACTIVE)
    directory = models.BooleanField(default=False, db_default=False)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name


class Membership(TenantModel):
    """A user in an organisation, as one of its principals.

    `accepted`: the person came in with what it signs in with. Whom somebody else has seated by the address (a provider,
    a directory, the shell) does not get in so while nothing has proved the address.
    `sessions_from`: web sessions that began (or were confirmed) before it count here no longer.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    principal = TenantForeignKey(Principal, related_name="memberships")
    accepted = models.BooleanField(default=False, db_default=False)
    sessions_from = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organisation_id}"


class GroupMember(TenantModel):
    """A person or service in a group. `source` says who keeps it: people here, a directory, or single sign-on."""

    class Source(models.TextChoices):
        """Where a membership of a group comes from; only its source takes it away."""

        LOCAL = "local"
        SCIM = "scim"
        OIDC = "oidc"

    group = TenantForeignKey(Principal, related_name="members")
    member = TenantForeignKey(Principal, related_name="groups")
    source = models.CharField(max_length=5, choices=Source, default=Source.LOCAL)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["group", "member"], name="group_member_once")]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.group_id}"


class ApiKey(TenantModel):
    """What a person or service presents to us. Only a digest is kept; `prefix` finds the row and may be shown.

    `scopes` narrows the principal's permissions to those named; empty means no narrowing. `successor` is the key that
    replaces it: until its own end, which the rotation has set, both are accepted. `made_by` is the key that made it: it
    does not outlive that one. `shown_to` is the person who has seen it: whoever made it, by hand or through other keys.
    """

    principal = TenantForeignKey(Principal, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    successor = TenantForeignKey("self", null=True, blank=True, related_name="predecessors")
    made_by = TenantForeignKey("self", null=True, blank=True, related_name="made")
    shown_to = TenantForeignKey(Principal, null=True, blank=True, related_name="seen_keys")

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class SignInLink(Identified):
    """A link that signs a person in once; only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta(Identified.Meta):
        pass

    def __str__(self) -> str:
        return f"sign-in link of {self.user_id}"


class WebSession(Identified):
    """A browser in which a person is signed in. `key` is that of Django's session: deleting that one ends it at once.

    `bound_to` is set when an organisation's identity provider let the person in: it counts there alone.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=40, unique=True)
    bound_to = models.ForeignKey(
        "organisations.Organisation", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    method = models.CharField(max_length=20)
    address = models.CharField(max_length=64, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta(Identified.Meta):
        pass

    def __str__(self) -> str:
        return f"session of {self.user_id}"
