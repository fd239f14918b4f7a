"""The guard of every endpoint: the endpoint names a permission, this checks that the actor holds it at all."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from foundation.access.guards import RefusedError, holds_somewhere
from foundation.access.roles import Permission
from foundation.actors import ActorKind
from foundation.api.authentication import actor_of
from foundation.api.descriptions import operation_of

UNNAMED = "(none named: this endpoint is closed)"


class NamedPermission(BasePermission):
    """Closed to nobody-in-particular, to whoever holds the named permission nowhere, and where none is named."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """False for nobody (401). Raises RefusedError for whoever lacks the permission."""
        actor = actor_of(request)
        if actor.kind is ActorKind.ANONYMOUS:
            return False
        permission = permission_of(view, getattr(view, "action", None))
        if permission is None or not holds_somewhere(actor, permission):
            raise RefusedError(permission or UNNAMED)
        return True


def permission_of(view: Any, action: str | None) -> Permission | None:
    """What a view (class or instance) names: the action's own permission, or else the view's, which is for reading."""
    operation = operation_of(view, action)
    if operation is not None and operation.permission is not None:
        return operation.permission
    named = getattr(view, "permission", None)
    return named if isinstance(named, Permission) else None
