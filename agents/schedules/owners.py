"""In whose name something starts that nobody starts by hand: with the rights that its owner holds now."""

from agents.registry.models import Agent
from foundation.access.guards import require
from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.actors import Actor, ActorKind
from foundation.errors import InvalidError
from foundation.identity.models import Principal, PrincipalState
from foundation.inputs import refuse_agent


def owner_by(actor: Actor, agent: Agent) -> Principal:
    """The actor as the owner of what is to start runs of this agent. Raises InvalidError, RefusedError.

    Whoever decides what is sent answers for it: otherwise one person could have another one's rights used.
    """
    refuse_agent(actor)
    if actor.principal is None:
        raise InvalidError("Somebody must answer for it: do this as a person or a service.")
    require(actor, Permission.RUN_START, agent.target_id)
    return Principal.objects.get(pk=actor.principal)


def acting(owner: Principal, agent: Agent, *needed: Permission, request: str = "", address: str = "") -> Actor:
    """The owner as an actor, if they still hold what is needed on this agent. Raises InvalidError."""
    if owner.state != PrincipalState.ACTIVE:
        raise InvalidError(f"{owner.name}, in whose name it starts, is suspended: let somebody else take it over.")
    actor = named(owner, request=request, address=address)
    if lacking := set(needed) - permissions_on(actor, agent.target_id):
        raise InvalidError(
            f"{owner.name}, in whose name it starts, does not hold {min(lacking)} on {agent.name} any more: "
            "let somebody else take it over."
        )
    return actor


def named(owner: Principal, *, request: str, address: str) -> Actor:
    """The owner as the record names it, whatever they still hold: for what starts nothing."""
    return Actor(
        kind=ActorKind(owner.kind), name=owner.name, principal=owner.id, organisation=owner.organisation_id,
        request=request, address=address,
    )  # fmt: skip
