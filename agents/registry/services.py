"""Verbs on agents and their versions."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from agents.catalogue.models import LanguageModel
from agents.registry.changes import about_agent, change_state, check_review, locked_agent
from agents.registry.definition import Definition, checked_definition
from agents.registry.models import Agent, AgentState, AgentVersion
from foundation.actors import Actor
from foundation.audit.record import record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.ids import uuid7
from foundation.inputs import checked_optional, checked_slug, checked_text, refuse_agent
from foundation.organisations.models import TargetKind, Team
from foundation.organisations.services import add_target

# The same for whatever is no such person: it may be something that the actor may not know of.
NO_SPONSOR = "There is no such person here to answer for the agent: name an active person of this organisation."


@transaction.atomic
def create_agent(*, actor: Actor, team: Team, slug: str, name: str, purpose: str, sponsor: Principal) -> Agent:
    """A new agent, a draft: it starts nothing before it serves a version and is activated."""
    refuse_agent(actor)
    slug, name = checked_slug(slug), checked_text(name, 120)
    purpose = checked_optional(purpose, 300, "purpose")
    _check_sponsor(sponsor, team.organisation_id)
    if Agent.objects.filter(organisation_id=team.organisation_id, slug=slug).exists():
        raise ConflictError(f"There is an agent {slug} already: choose another short name.")
    identifier = uuid7()
    target = add_target(
        organisation=team.organisation_id,
        identifier=identifier,
        kind=TargetKind.AGENT,
        name=name,
        above=team.target.lineage,
    )
    principal = Principal.objects.create(
        id=identifier, organisation_id=team.organisation_id, kind=PrincipalKind.AGENT, name=name
    )
    agent = Agent.objects.create(
        id=identifier,
        organisation_id=team.organisation_id,
        slug=slug,
        name=name,
        purpose=purpose,
        team=team,
        target=target,
        principal=principal,
        sponsor=sponsor,
    )
    record(about_agent(actor, "agent.create", agent, slug=slug, team=team.slug, sponsor=sponsor.id))
    return agent


@transaction.atomic
def publish_version(
    *,
    actor: Actor,
    agent: Agent,
    instructions: str,
    language_model: LanguageModel,
    tools: Sequence[str],
    delegates: Sequence[str],
    max_steps: int = 40,
    max_seconds: int = 86_400,
    max_output_tokens: int = 1_024,
    run_budget: int = 100_000,
    max_tokens: int = 0,
    max_children: int = 16,
    context_tokens: int = 0,
    truncation: str = "compact",
    on_exhausted: str = "stop",
    note: str = "",
) -> AgentVersion:
    """The next immutable version; it serves once `serve_version` says so.

    `tools` names tools, `delegates` agents by their slugs; limits are in steps, seconds, tokens (0: none) and
    micro-units. `truncation` (compact, drop, refuse) says what happens when a session outgrows `context_tokens` (0:
    what the model takes), `on_exhausted` (stop, wait) when a budget above the run's own has nothing left.
    """
    refuse_agent(actor)
    # The lock makes the numbers follow one another.
    agent = locked_agent(agent)
    definition = checked_definition(
        Definition(
            instructions=instructions,
            language_model=language_model,
            tools=tuple(tools),
            delegates=tuple(delegates),
            max_steps=max_steps,
            max_seconds=max_seconds,
            max_output_tokens=max_output_tokens,
            run_budget=run_budget,
            max_tokens=max_tokens,
            max_children=max_children,
            context_tokens=context_tokens,
            truncation=truncation,
            on_exhausted=on_exhausted,
        ),
        agent,
    )
    last = agent.versions.aggregate(last=Max("number"))["last"] or 0
    version = AgentVersion.objects.create(
        organisation_id=agent.organisation_id,
        agent=agent,
        number=last + 1,
        content_hash=definition.content_hash,
        note=checked_optional(note, 300, "note"),
        **definition.columns,
    )
    record(
        about_agent(
            actor,
            "agent.publish",
            agent,
            number=version.number,
            content_hash=version.content_hash,
            note=version.note,
        )
    )
    return version


@transaction.atomic
def serve_version(*, actor: Actor, agent: Agent, version: AgentVersion) -> Agent:
    """New sessions get this version from now on; sessions that have begun keep theirs."""
    refuse_agent(actor)
    agent = locked_agent(agent)
    if version.agent_id != agent.id:
        raise InvalidError(f"This version belongs to another agent than {agent.name}.", "version")
    former = agent.serving.number if agent.serving else None
    agent.serving = version
    agent.save(update_fields=["serving"])
    record(about_agent(actor, "agent.serve", agent, former=former, number=version.number, hash=version.content_hash))
    if agent.state == AgentState.IN_REVIEW:
        # Whoever reviews it looks at what will serve, and at nothing that came later.
        record(change_state(actor, agent, AgentState.DRAFT, "agent.return", "Another version serves."))
    return agent


@transaction.atomic
def activate_agent(*, actor: Actor, agent: Agent, reason: str = "") -> Agent:
    """It may start runs. It needs a serving version, an active sponsor, and the first time another person's review."""
    refuse_agent(actor)
    agent = locked_agent(agent)
    if agent.state in {AgentState.DRAFT, AgentState.IN_REVIEW}:
        check_review(actor, agent)
    if agent.serving is None:
        raise InvalidError(f"{agent.name} serves no version yet: publish one and let it serve.")
    if agent.sponsor is None or agent.sponsor.state != PrincipalState.ACTIVE:
        raise InvalidError(f"{agent.name} is ownerless: name an active sponsor first.", "sponsor")
    record(change_state(actor, agent, AgentState.ACTIVE, "agent.activate", reason))
    return agent


@transaction.atomic
def suspend_agent(*, actor: Actor, agent: Agent, reason: str) -> Agent:
    """It starts nothing until it is activated again."""
    refuse_agent(actor)
    reason, agent = checked_text(reason, 300, "reason"), locked_agent(agent)
    if agent.state in {AgentState.DRAFT, AgentState.IN_REVIEW}:
        # From there it would come back without anybody's review.
        raise ConflictError(f"{agent.name} is {agent.get_state_display().lower()}: it starts nothing anyway.")
    record(change_state(actor, agent, AgentState.SUSPENDED, "agent.suspend", reason))
    return agent


@transaction.atomic
def retire_agent(*, actor: Actor, agent: Agent, reason: str) -> Agent:
    """It has ended for good."""
    refuse_agent(actor)
    reason, agent = checked_text(reason, 300, "reason"), locked_agent(agent)
    record(change_state(actor, agent, AgentState.RETIRED, "agent.retire", reason))
    return agent


@transaction.atomic
def change_sponsor(*, actor: Actor, agent: Agent, sponsor: Principal) -> Agent:
    """Another person answers for it."""
    refuse_agent(actor)
    agent = locked_agent(agent)
    _check_sponsor(sponsor, agent.organisation_id)
    former, agent.sponsor = agent.sponsor_id, sponsor
    agent.save(update_fields=["sponsor"])
    record(about_agent(actor, "agent.change_sponsor", agent, former=former, sponsor=sponsor.id))
    return agent


def _check_sponsor(sponsor: Principal, organisation_id: UUID) -> None:
    theirs = sponsor.organisation_id == organisation_id
    if not theirs or sponsor.kind != PrincipalKind.PERSON or sponsor.state != PrincipalState.ACTIVE:
        raise InvalidError(NO_SPONSOR, "sponsor")
