"""Roles and grants, what they come to, and the one queryset word that asks for it."""

from typing import ClassVar, Self, TypeVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from guardian.managers import UserObjectPermissionManager
from guardian.models import UserObjectPermissionBase

from foundation.access.reach import Covered, held_on, reach_of
from foundation.access.roles import ROLES, Permission, roles_with
from foundation.actors import Actor, ActorKind
from foundation.identity.models import GroupMember, Principal, PrincipalState, User
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
        """Those of one actor, itself or through its groups."""
        return self.reaching(actor.principal)

    def reaching(self, principal: UUID | None) -> Self:
        """Those that count for one principal, itself or through its groups."""
        groups = GroupMember.objects.using(self.db).filter(
            member_id=principal, group__state=PrincipalState.ACTIVE
        )  # fmt: skip
        return self.filter(Q(principal_id=principal) | Q(principal_id__in=groups.values("group_id")))

    def holding(self, permission: str) -> Self:
        """Those whose role holds a permission."""
        custom = Q(custom_role__permissions__contains=[permission])
        return self.filter(Q(custom_role=None, role__in=roles_with(permission)) | custom)


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

    @property
    def permissions(self) -> frozenset[str]:
        """What its role may do, built in or custom."""
        return held_by(self.role, self.custom_role)


def held_by(role: str, custom: Role | None) -> frozenset[str]:
    """What a role may do: the custom one, or else the built-in one of this short name."""
    return frozenset(custom.permissions) if custom else frozenset(map(str, ROLES.get(role, ())))


class Holding(UserObjectPermissionBase, TenantModel):
    """A permission that a person or service holds on a target itself, by whichever grant: guardian's own rows.

    The database keeps them from grants, groups and roles, in the transaction that changes these (functions in the
    migration). Nobody writes here. `expires_at` is that of the grant that lasts longest; `user` is empty for services.
    """

    user = models.ForeignKey(  # type: ignore[assignment]  # guardian's is never empty
        User, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    permission = models.ForeignKey(
        "auth.Permission", on_delete=models.PROTECT, related_name="holdings", db_index=False
    )  # fmt: skip
    principal = TenantForeignKey(Principal, related_name="holdings", db_index=False)
    content_object = TenantForeignKey(GrantTarget, related_name="holdings", db_index=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[UserObjectPermissionManager] = UserObjectPermissionManager()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["principal", "permission", "content_object"], name="holding_once"),
            models.UniqueConstraint(fields=["user", "permission", "content_object"], name="holding_of_user"),
        ]
        indexes = [
            models.Index(fields=["principal", "content_object"], name="holding_checked"),
            models.Index(fields=["content_object", "permission"], name="holding_on_target"),
        ]

    def __str__(self) -> str:
        return f"{self.permission_id} of {self.principal_id} on {self.content_object_id}"


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

    def lock(self, pk: UUID, *, no_key: bool = False) -> bool:
        """Lock a row until the transaction ends; whether it is there. What it is joined with is read afterwards.

        Locked together with others, a row whose key to one of them changes meanwhile would seem not to be there.
        """
        return self.only("pk").select_for_update(no_key=no_key).filter(pk=pk).first() is not None

    def permitted(self, actor: Actor, permission: str) -> Self:
        """The rows on which this actor holds this permission: nothing for whoever has no grant.

        It asks the database at once how far the actor reaches, so that a list needs no more than its own rows.
        """
        rows = self.filter(organisation_id=actor.organisation)
        if actor.scopes is not None and permission not in actor.scopes:
            return rows.none()
        if actor.kind is ActorKind.SYSTEM:
            return rows
        reach = reach_of(actor, permission, self.db, nodes=hasattr(self.model, "places"))
        if reach.everywhere:
            return rows
        if not reach.somewhere:
            return rows.none()
        path = getattr(self.model, "target_path", "target") if self.path is None else self.path
        if path == "":
            return rows if permission.endswith(".view") and not self.narrow else rows.none()
        return rows.filter(Covered(path, reach))


def permissions_on(actor: Actor, target: UUID, using: str = "default") -> frozenset[Permission]:
    """All that an actor may do on one target, through every grant above it."""
    if actor.kind is ActorKind.SYSTEM:
        held = frozenset(Permission)
    elif actor.principal is None:
        return frozenset()
    else:
        held = held_on(actor.principal, target, using)
    return held if actor.scopes is None else frozenset(one for one in held if one in actor.scopes)
