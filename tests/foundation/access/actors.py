"""Who acts in the tests of access."""

from foundation.actors import Actor, ActorKind
from foundation.identity.models import Membership, Principal
from foundation.organisations.models import GrantTarget
from tests.foundation.identity.household import Household


def acting(membership: Membership, scopes: frozenset[str] | None = None) -> Actor:
    """A person of the household."""
    return acting_as(membership.principal, scopes)


def acting_as(principal: Principal, scopes: frozenset[str] | None = None) -> Actor:
    """A person or service."""
    return Actor(
        kind=ActorKind(principal.kind),
        name=principal.name,
        principal=principal.id,
        organisation=principal.organisation_id,
        scopes=scopes,
    )


def root(household: Household) -> GrantTarget:
    """The organisation as a target."""
    return GrantTarget.objects.get(pk=household.organisation.id)
