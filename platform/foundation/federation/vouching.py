"""Whom a provider speaks for: nobody comes in through it as somebody who may do more than whoever has set it up."""

from dataclasses import replace
from uuid import UUID

from foundation.access.models import Grant, permissions_on
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.federation.models import GroupMapping, IdentityProvider
from foundation.identity.models import Principal
from foundation.inputs import organisation_of

# What decides whom a provider names, and with which groups: whoever writes one of these stands for the whole.
DECISIVE = frozenset({"issuer", "client_id", "secret", "domains", "groups_claim"})
STRONGER = (
    "You may do more here than whoever has set this provider up: sign in as before. To be let in here, have the "
    "provider saved anew by an administrator who may do as much, or your role taken away until you have come in once."
)
NO_SEAT = "Whoever has set the provider up, or has mapped the group, may not give this."


def strength_of(actor: Actor) -> list[str]:
    """What the actor may do in the whole organisation."""
    return sorted(permissions_on(replace(actor, scopes=None), organisation_of(actor)))


def is_beyond(provider: IdentityProvider, principal: Principal) -> bool:
    """Whether a principal may do anything that whoever set the provider up could not. Doubt says so, too."""
    return bool(_held(principal) - set(provider.strength or ()))


def may_seat(provider: IdentityProvider, mapping: GroupMapping, member: UUID) -> bool:
    """Whether a provider may put somebody into a mapped group. Nobody names itself an auditor in this way."""
    own = set(provider.strength or ())
    if Permission.ORGANISATION_MANAGE in own and member not in {*(mapping.mapped_by or ()), provider.configured_by}:
        own.add(Permission.AUDIT_READ_BODIES)
    return not _held(mapping.principal) - own


def _held(principal: Principal) -> set[str]:
    grants = Grant.objects.live().reaching(principal.id).select_related("custom_role")
    return {permission for one in grants for permission in one.permissions}
