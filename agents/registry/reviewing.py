"""Verbs on the review of an agent by somebody else, and on agents for which nobody answers."""

from django.db import transaction
from django.db.models import Q

from agents.registry.changes import about_agent, change_state, locked_agent
from agents.registry.models import Agent, AgentState
from foundation.actors import Actor, ActorKind
from foundation.audit.record import record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.inputs import checked_optional, checked_text, refuse_agent

# Nobody answers for it: no sponsor, or one who is suspended or has left.
OWNERLESS = (Q(sponsor=None) | ~Q(sponsor__state=PrincipalState.ACTIVE)) & ~Q(state=AgentState.RETIRED)


@transaction.atomic
def submit_agent(*, actor: Actor, agent: Agent, reason: str = "") -> Agent:
    """Its builder is done: somebody else is to look at it. It needs a serving version, and a person who sends it.

    Whoever builds may hold the key of a service: it would be a second pair of eyes that is its own.
    """
    refuse_agent(actor)
    if actor.kind not in {ActorKind.PERSON, ActorKind.SYSTEM}:
        raise InvalidError(
            "Only a person sends an agent to review. A service publishes a version and lets it serve; then a person "
            "sends the agent in, and another one activates it."
        )
    agent = locked_agent(agent)
    if agent.state != AgentState.DRAFT:
        raise ConflictError(f"{agent.name} is {agent.get_state_display().lower()}: only a draft is sent to review.")
    if agent.serving is None:
        raise InvalidError(f"{agent.name} serves no version yet: publish one and let it serve.")
    agent.submitted_by_id = actor.principal
    agent.save(update_fields=["submitted_by"])
    record(change_state(actor, agent, AgentState.IN_REVIEW, "agent.submit", checked_optional(reason, 300, "reason")))
    return agent


@transaction.atomic
def return_agent(*, actor: Actor, agent: Agent, reason: str) -> Agent:
    """Back to its builder, with what is to be mended."""
    refuse_agent(actor)
    agent = locked_agent(agent)
    if agent.state != AgentState.IN_REVIEW:
        raise ConflictError(f"{agent.name} is not in review.")
    record(change_state(actor, agent, AgentState.DRAFT, "agent.return", checked_text(reason, 300, "reason")))
    return agent


@transaction.atomic
def take_over_agent(*, actor: Actor, agent: Agent, reason: str = "") -> Agent:
    """From now on the actor answers for an agent that is ownerless."""
    refuse_agent(actor)
    agent = locked_agent(agent)
    person = Principal.objects.filter(pk__in=[actor.principal], kind=PrincipalKind.PERSON).first()
    if person is None or actor.kind is not ActorKind.PERSON:
        raise InvalidError("Only a person can answer for an agent: sign in as one.")
    if agent.sponsor is not None and agent.sponsor.state == PrincipalState.ACTIVE:
        raise ConflictError(f"{agent.sponsor.name} answers for {agent.name}: change the sponsor instead.")
    former, agent.sponsor = agent.sponsor_id, person
    agent.save(update_fields=["sponsor"])
    why = checked_optional(reason, 300, "reason")
    record(about_agent(actor, "agent.take_over", agent, why, former=former, sponsor=person.pk))
    return agent
