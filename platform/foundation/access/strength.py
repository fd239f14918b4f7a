"""Nobody becomes stronger through somebody else: by the key of a service, or by a seat in a group."""

from dataclasses import replace

from django.db.models import Q

from foundation.access.models import Grant, permissions_on
from foundation.access.roles import ROLES, Permission
from foundation.actors import Actor
from foundation.errors import InvalidError
from foundation.identity.models import Principal


class StrongerError(InvalidError):
    """Whoever did this could do what they may not."""


def refuse_stronger(actor: Actor, principal: Principal, *, narrowed: bool = True) -> None:
    """Raises StrongerError if `principal` holds, itself or through its groups, what the actor does not hold there.

    With `narrowed` false it counts what the actor's principal holds, whatever its key was narrowed to.
    """
    strength = actor if narrowed else replace(actor, scopes=None)
    held = Grant.objects.live().filter(Q(principal=principal) | Q(principal__members__member=principal))
    for grant in held.select_related("target", "custom_role").distinct():
        lacking = permissions_of(grant) - permissions_on(strength, grant.target_id)
        if lacking:
            message = f"{principal.name} may do what you may not on {grant.target.name} ({min(lacking)})."
            raise StrongerError(message, "principal")


def permissions_of(grant: Grant) -> frozenset[str]:
    """What the role of a grant may do, built in or custom."""
    if grant.custom_role is not None:
        return frozenset(grant.custom_role.permissions)
    return frozenset(map(str, ROLES.get(grant.role, frozenset[Permission]())))
