"""What a run may do: the intersection of all in whose name it acts, of its delegation, and of its own version.

Policies judge each call besides, for the agent and for every agent above it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.registry.models import Agent, AgentVersion
from agents.runs.models import Run
from foundation.access.guards import UnknownError
from foundation.actors import Actor
from foundation.delegation.effective import (
    ANYTHING_OF_AN_AGENT,
    Link,
    Rights,
    effective,
    holder,
    is_live,
    link_of_holder,
    links_of_delegation,
)
from foundation.delegation.models import DelegationGrant
from foundation.delegation.tokens import Party
from foundation.errors import InvalidError
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.instants import database_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Remit:
    """The chain, the person first and the agent itself last; and what is left at its end."""

    links: Sequence[Link]
    rights: Rights
    on_behalf_of: tuple[Party, ...]

    @property
    def words(self) -> list[str]:
        """The rights in the order of their names."""
        return sorted(self.rights)


def remit_of(run: Run, version: AgentVersion, now: datetime, using: str = "default") -> Remit:
    """The remit of a run as of now: three queries, and three more for each person and delegation in its chain."""
    chain = tuple(UUID(one) for one in run.chain)
    rows = Principal.objects.using(using).filter(organisation_id=run.organisation_id, pk__in=[*chain, run.agent_id])
    principals = rows.in_bulk()
    links = [_link(one, principals, _started(chain, run, principals), using) for one in reversed(chain)]
    links += _delegated(run, now, using)
    links.append(_own(principals.get(run.agent_id), version))
    parties = tuple(Party(one, principals[one].kind) for one in chain if one in principals)
    return Remit(links=links, rights=effective(links), on_behalf_of=parties)


def delegation_named(actor: Actor, identifier: UUID | None) -> DelegationGrant | None:
    """The delegation that an actor gave, by its id. Raises UnknownError."""
    if identifier is None:
        return None
    rows = DelegationGrant.objects.filter(organisation_id__in=[actor.organisation], person_id__in=[actor.principal])
    found = rows.filter(pk=identifier).first()
    if found is None:
        raise UnknownError("delegation")
    return found


def check_delegation(actor: Actor, agent: Agent, delegation: DelegationGrant) -> None:
    """A run may rest on it: the actor gave it to this agent, and it is in force. Raises InvalidError."""
    if delegation.giver_id != actor.principal or delegation.receiver_id != agent.principal_id:
        raise InvalidError(f"This is no delegation of yours to {agent.name}.", "delegation")
    if not is_live(delegation, database_now()):
        raise InvalidError("The delegation is over: give a new one, or start the run without.", "delegation")


def rights_of_version(version: AgentVersion) -> Rights:
    """What an agent's definition lets it ask for."""
    tools, agents = (f"tool:{name}" for name in version.tools), (f"agent:{slug}" for slug in version.delegates)
    return frozenset((*tools, *agents))


def _started(chain: Sequence[UUID], run: Run, principals: Mapping[UUID, Principal]) -> UUID:
    """The agent that the person started, whose id is that of its target: the outermost one."""
    agents = [one for one in chain if one in principals and principals[one].kind == PrincipalKind.AGENT]
    return agents[-1] if agents else run.agent_id


def _link(identifier: UUID, principals: Mapping[UUID, Principal], started: UUID, using: str) -> Link:
    principal = principals.get(identifier)
    if principal is None:
        return Link(name="?", kind="unknown", rights=frozenset(), why="Nobody knows who this is.")
    if principal.kind != PrincipalKind.AGENT:
        return link_of_holder(holder(principal), started, using)
    why = "Its policies bound each call." if _may_act(principal) else "It is not active."
    rights = ANYTHING_OF_AN_AGENT if _may_act(principal) else frozenset()
    return Link(name=principal.name, kind="agent", rights=rights, why=why, principal=identifier)


def _delegated(run: Run, now: datetime, using: str) -> list[Link]:
    if run.delegation_id is None:
        return []
    grants = DelegationGrant.objects.using(using).select_related("giver", "receiver")
    return links_of_delegation(grants.get(pk=run.delegation_id), now, using)


def _own(principal: Principal | None, version: AgentVersion) -> Link:
    active = principal is not None and _may_act(principal)
    return Link(
        name=f"{principal.name} v{version.number}" if principal else "?",
        kind="version",
        rights=rights_of_version(version) if active else frozenset(),
        why="The tools and agents that its version names." if active else "It is not active.",
        principal=principal.pk if principal else None,
    )


def _may_act(principal: Principal) -> bool:
    return principal.state == PrincipalState.ACTIVE
