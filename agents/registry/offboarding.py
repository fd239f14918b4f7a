"""Handing over the agents that somebody answers for."""

from uuid import UUID

from django.db import transaction

from agents.registry.models import Agent, AgentState
from agents.registry.services import change_sponsor
from foundation.access.guards import require
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.identity.models import Principal


def sponsored_by(principal: Principal) -> list[Agent]:
    """The agents that a person answers for, by name; those that have ended need nobody any more."""
    held = Agent.objects.filter(organisation_id=principal.organisation_id, sponsor=principal)
    return list(held.exclude(state=AgentState.RETIRED).select_related("team").order_by("name"))


@transaction.atomic
def hand_over_agents(*, actor: Actor, person: Principal, successor: Principal) -> list[UUID]:
    """The successor answers for the person's agents from now on. Needs `agent.manage` on each of them."""
    agents = sponsored_by(person)
    for agent in agents:
        require(actor, Permission.AGENT_MANAGE, agent.target_id)
        change_sponsor(actor=actor, agent=agent, sponsor=successor)
    return [agent.id for agent in agents]
