"""The guards: what a page or an endpoint asks before it does anything."""

from typing import Any, TypeVar
from uuid import UUID

from django.db import models

from foundation.access.models import PermittedQuerySet, permissions_on
from foundation.access.reach import reach_of
from foundation.access.roles import ROLES, Permission
from foundation.actors import Actor, ActorKind
from foundation.identity.models import Principal, PrincipalKind
from foundation.organisations.models import GrantTarget, TargetKind

M = TypeVar("M", bound=models.Model)


class RefusedError(Exception):
    """The actor may know of the thing, but not do this to it: 403, naming the missing permission."""

    def __init__(self, permission: str, target: UUID | None = None) -> None:
        self.permission = permission
        self.target = target
        roles = ", ".join(role for role, held in ROLES.items() if permission in held)
        super().__init__(f"This needs the permission {permission}. Roles that hold it: {roles}.")


class UnknownError(Exception):
    """There is no such thing, or the actor may not know of it: 404 in both cases."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no such {kind} here, or you may not see it.")


def require(actor: Actor, permission: str, target: UUID | None = None) -> None:
    """Refuse unless the actor holds the permission on a target (by default the whole organisation)."""
    node = target or actor.organisation
    if node is None or permission not in permissions_on(actor, node):
        raise RefusedError(permission, node)


def holds_somewhere(actor: Actor, permission: str) -> bool:
    """Whether the actor holds a permission on anything; which rows it covers is the queryset's word."""
    if actor.scopes is not None and permission not in actor.scopes:
        return False
    return actor.kind is ActorKind.SYSTEM or reach_of(actor, permission).somewhere


def find(rows: PermittedQuerySet[M], actor: Actor, permission: str, **lookup: Any) -> M:
    """The one row that `lookup` names, if the actor holds the permission on it.

    Whoever may not even view it gets UnknownError, whoever may only view it RefusedError.
    """
    kind = rows.model._meta.verbose_name or rows.model.__name__
    found = rows.permitted(actor, permission).filter(**lookup).first()
    if found is not None:
        return found
    view = view_permission(permission)
    if permission != view and rows.permitted(actor, view).filter(**lookup).exists():
        raise RefusedError(permission)
    raise UnknownError(str(kind))


def find_target(actor: Actor, permission: str, identifier: UUID, kind: str = "target of a grant") -> GrantTarget:
    """The organisation, team or agent of this id, if the actor holds the permission on it; else as `find` answers."""
    found = GrantTarget.objects.filter(pk=identifier).first()
    if found is None:
        raise UnknownError(kind)
    held = permissions_on(actor, found.id)
    if permission in held:
        return found
    if view_permission(permission) in held or sees(actor, found):
        raise RefusedError(permission, found.id)
    raise UnknownError(kind)


def sees(actor: Actor, target: GrantTarget) -> bool:
    """Whether the actor may know of an organisation (its own), a team or an agent."""
    if target.kind == TargetKind.ORGANISATION:
        return target.organisation_id == actor.organisation
    return f"{target.kind}.view" in permissions_on(actor, target.id)


def find_principal(identifier: UUID | None, kind: str = "principal") -> Principal:
    """The person, service or group of this id. Agents are found as agents only: not everybody may know of each."""
    rows = Principal.objects.exclude(kind=PrincipalKind.AGENT)
    found = rows.filter(pk=identifier).first() if identifier else None
    if found is None:
        raise UnknownError(kind)
    return found


def view_permission(permission: str) -> str:
    """The permission to view what this one acts on: `run.control` needs `run.view`.

    Whoever sees a run or a session may know of its bodies, and is told which permission shows them.
    """
    if permission == Permission.AUDIT_READ_BODIES:
        return Permission.RUN_VIEW
    noun = permission.partition(".")[0]
    view = f"{noun}.view"
    return view if view in {one.value for one in Permission} else permission
