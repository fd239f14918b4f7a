"""What the verbs on agents are made of: the locked row, another state, and what the record says."""

from agents.registry.models import Agent, AgentState
from foundation.actors import Actor, ActorKind
from foundation.audit.record import Entry, entry
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal, PrincipalKind, PrincipalState


def locked_agent(agent: Agent) -> Agent:
    """The agent's row as it is, for a verb to change. Raises ConflictError for one that has ended."""
    found = Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
    if found.state == AgentState.RETIRED:
        raise ConflictError(f"{found.name} is retired: create another agent.")
    return found


def change_state(actor: Actor, agent: Agent, state: AgentState, action: str, reason: str) -> Entry:
    """A part of the verbs: another state for the agent and its principal; what is to be recorded of it."""
    if agent.state == state:
        raise ConflictError(f"{agent.name} is {state} already.")
    former, agent.state = agent.state, state
    agent.save(update_fields=["state"])
    principal = PrincipalState.ACTIVE if state == AgentState.ACTIVE else PrincipalState.SUSPENDED
    Principal.objects.filter(pk=agent.principal_id).update(state=principal)
    return about_agent(actor, action, agent, reason, former=former)


def about_agent(actor: Actor, action: str, agent: Agent, reason: str = "", **details: object) -> Entry:
    """What the record says of an agent."""
    return entry(
        actor,
        action,
        target_kind="agent",
        target_id=agent.id,
        target_name=agent.name,
        reason=reason,
        details=details,
    )


def check_review(actor: Actor, agent: Agent) -> None:
    """Refuse to activate an agent that nobody else than its builder has looked at. Raises InvalidError."""
    if actor.kind is ActorKind.SYSTEM:
        # Whoever holds the shell could change any row.
        return
    if agent.state == AgentState.DRAFT:
        raise InvalidError(f"{agent.name} is a draft: send it to review first.")
    if refusal := review_refusal(actor, agent):
        raise InvalidError(refusal)


def review_refusal(actor: Actor, agent: Agent) -> str:
    """Why an actor cannot pass an agent in review; empty if it can. Where nobody else is, one person does both."""
    if not actor.is_person:
        return "Only a person reviews an agent: sign in as one."
    if agent.submitted_by is not None and agent.submitted_by.kind != PrincipalKind.PERSON:
        return f"A service sent {agent.name} to review: return it, and have a person send it."
    people = Principal.objects.filter(organisation_id=agent.organisation_id, kind=PrincipalKind.PERSON)
    others = people.filter(state=PrincipalState.ACTIVE).exclude(pk__in=[actor.principal])
    if agent.submitted_by_id == actor.principal and others.exists():
        return f"You sent {agent.name} to review yourself: somebody else must look at it."
    return ""
