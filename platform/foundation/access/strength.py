"""Nobody becomes stronger through somebody else: by a grant, by the key of a service, or by a seat in a group."""

from dataclasses import replace
from uuid import UUID

from foundation.access.guards import sees
from foundation.access.models import Grant, permissions_on
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.errors import LackingError
from foundation.identity.models import Principal


def lacking(actor: Actor, held: frozenset[str], target: UUID, *, for_another: bool = False) -> frozenset[str]:
    """What of `held` the actor does not hold on a target; `for_another` if it is given to somebody else."""
    own = permissions_on(actor, target)
    missing = held - own
    if for_another and Permission.ORGANISATION_MANAGE in own:
        # Whoever administers names the auditors, but is none: somebody must, and nobody names themselves.
        missing -= {Permission.AUDIT_READ_BODIES}
    return missing


def refuse_stronger(
    actor: Actor, principal: Principal, *, narrowed: bool = True, for_another: bool = False, field: str = "principal"
) -> None:
    """Raises LackingError if `principal` holds, itself or through its groups, what the actor does not hold there.

    With `narrowed` false it counts what the actor's principal holds, whatever its key was narrowed to. `for_another` is
    that of `lacking`, `field` that of the error.
    """
    strength = actor if narrowed else replace(actor, scopes=None)
    held = Grant.objects.live().reaching(principal.id).select_related("target", "custom_role")
    for grant in held:
        missing = lacking(strength, grant.permissions, grant.target_id, for_another=for_another)
        if missing:
            where = grant.target.name if sees(actor, grant.target) else "something that you may not see"
            message = f"{principal.name} may do what you may not on {where} ({min(missing)})."
            raise LackingError(message, missing, field)
