"""Nobody becomes stronger through somebody else: by the key of a service, or by a seat in a group."""

from dataclasses import replace

from foundation.access.models import Grant, permissions_on
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
    held = Grant.objects.live().reaching(principal.id).select_related("target", "custom_role")
    for grant in held:
        lacking = grant.permissions - permissions_on(strength, grant.target_id)
        if lacking:
            message = f"{principal.name} may do what you may not on {grant.target.name} ({min(lacking)})."
            raise StrongerError(message, "principal")
