"""Grants, and the one place where *may this actor* becomes SQL."""

from typing import ClassVar, Self, TypeVar
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, Q
from django.db.models.functions import Now

from foundation.access.roles import ROLES, Permission, roles_with
from foundation.actors import Actor, ActorKind
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.models import TenantForeignKey, TenantModel

M = TypeVar("M", bound=models.Model, covariant=True)


class Role(TenantModel):
    """A custom role: named permissions, beside the built-in ones. Its short name is none of theirs, and stays."""

    target_path: ClassVar[str] = ""
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    permissions = ArrayField(models.CharField(max_length=60), default=list)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="role_slug")]

    def __str__(self) -> str:
        return self.name


class GrantQuerySet(models.QuerySet["Grant"]):
    """Words on grants."""

    def live(self) -> Self:
        """Those that have not expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()))

    def of(self, actor: Actor) -> Self:
        """Those of one actor."""
        return self.filter(principal_id=actor.principal)

    def holding(self, permission: str) -> Self:
        """Those whose role holds a permission."""
        return self.filter(role__in=roles_with(permission))

    def on_organisation(self) -> Self:
        """Those on the whole organisation."""
        return self.filter(target_id=F("organisation_id"))


class Grant(TenantModel):
    """A role given to a principal (or to a group, and so to its members) on an organisation, a team or an agent, and so
    on all that is below it. `role` is the short name of a built-in role or of `custom_role`.
    """

    principal = TenantForeignKey(Principal, related_name="grants")
    role = models.CharField(max_length=60)
    custom_role = TenantForeignKey(Role, null=True, blank=True, related_name="grants")
    target = TenantForeignKey(GrantTarget, related_name="grants")
    expires_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["principal", "role", "target"], name="grant_once")]

    def __str__(self) -> str:
        return f"{self.role} for {self.principal_id} on {self.target_id}"


class Review(TenantModel):
    """An access review: somebody looks at who has what on a target and below it, and says of each whether it stays."""

    target_path: ClassVar[str] = "target"
    name = models.CharField(max_length=120)
    target = TenantForeignKey(GrantTarget, related_name="+")
    opened_by = TenantForeignKey(Principal, related_name="+")
    due_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name


class Verdict(models.TextChoices):
    """What was said of a reviewed grant."""

    OPEN = "open"  # not yet looked at
    ATTESTED = "attested"  # still needed
    REVOKED = "revoked"  # withdrawn by the review
    GONE = "gone"  # withdrawn or expired by itself meanwhile


class ReviewItem(TenantModel):
    """One grant under review, with what it was when the review was opened; it outlives the grant."""

    review = TenantForeignKey(Review, related_name="items")
    grant = models.UUIDField()
    principal = TenantForeignKey(Principal, related_name="+")
    role = models.CharField(max_length=60)
    target = TenantForeignKey(GrantTarget, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=8, choices=Verdict, default=Verdict.OPEN)
    decided_by = TenantForeignKey(Principal, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["review", "grant"], name="review_item_once")]

    def __str__(self) -> str:
        return f"{self.role} of {self.principal_id}"


class PermittedQuerySet(models.QuerySet[M]):
    """Rows that hang on the tree of targets: through `target`, or directly on the organisation without one.

    A model whose rows hang elsewhere says so in `target_path`, for example `agent__target`. The empty path means
    that they belong to the whole organisation: managing them needs a grant there, viewing them any grant in it.
    """

    path: ClassVar[str | None] = None  # instead of the model's own `target_path`
    narrow: ClassVar[bool] = False  # with the empty path, even viewing needs a grant on the organisation

    def permitted(self, actor: Actor, permission: str) -> Self:
        """The rows on which this actor holds this permission: nothing for whoever has no grant."""
        rows = self.filter(organisation_id=actor.organisation)
        if actor.scopes is not None and permission not in actor.scopes:
            return rows.none()
        if actor.kind is ActorKind.SYSTEM:
            return rows
        if actor.principal is None:
            return rows.none()
        grants = Grant.objects.using(self.db).live().of(actor).holding(permission)
        path = getattr(self.model, "target_path", "target") if self.path is None else self.path
        if path == "":
            anywhere = permission.endswith(".view") and not self.narrow
            return rows.filter(Exists(grants if anywhere else grants.on_organisation()))
        covered = GrantTarget.objects.using(self.db).filter(lineage__overlap=ArraySubquery(grants.values("target_id")))
        return rows.filter(**{f"{path}__in": covered.values("id")})


def permissions_on(actor: Actor, target: UUID, using: str = "default") -> frozenset[Permission]:
    """All that an actor may do on one target, through every grant above it."""
    if actor.kind is ActorKind.SYSTEM:
        held = frozenset(Permission)
    elif actor.principal is None:
        return frozenset()
    else:
        node = GrantTarget.objects.using(using).filter(pk=target).values_list("lineage", flat=True).first()
        roles = (
            Grant.objects.using(using).live().of(actor).filter(target_id__in=node or []).values_list("role", flat=True)
        )
        held = frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))
    return held if actor.scopes is None else frozenset(one for one in held if one in actor.scopes)
