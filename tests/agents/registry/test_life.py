"""The life of an agent, from draft to retirement."""

from typing import Any

import pytest

from agents.registry.models import Agent, AgentState
from agents.registry.services import (
    activate_agent,
    change_sponsor,
    create_agent,
    publish_version,
    retire_agent,
    serve_version,
    suspend_agent,
)
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal, PrincipalState
from foundation.identity.services import create_service, suspend_principal
from foundation.organisations.models import GrantTarget
from tests.agents.workshop import Workshop, make_workshop


def serving(workshop: Workshop, agent: Agent) -> Agent:
    """The agent with a version that serves."""
    version = publish_version(
        actor=workshop.shell,
        agent=agent,
        instructions="Answer.",
        language_model=workshop.model,
        tools=[],
        delegates=[],
    )
    return serve_version(actor=workshop.shell, agent=agent, version=version)


def test_new_agent_is_a_draft_with_an_identity_of_its_own(workshop: Workshop) -> None:
    """One id for agent, principal and target; the target hangs under the team."""
    with workshop.open():
        agent = workshop.agent()
        assert agent.state == AgentState.DRAFT
        assert Principal.objects.get(pk=agent.id).kind == "agent"
        assert GrantTarget.objects.get(pk=agent.id).lineage == [
            agent.id, workshop.team.id, workshop.organisation.id,
        ]  # fmt: skip


def test_activation_needs_a_version_and_a_sponsor(workshop: Workshop) -> None:
    """Neither a body without a mind, nor one for which nobody answers."""
    with workshop.open():
        agent = workshop.agent()
        with pytest.raises(InvalidError, match="no version"):
            activate_agent(actor=workshop.shell, agent=agent)
        serving(workshop, agent)
        suspend_principal(actor=workshop.shell, principal=workshop.sponsor, reason="left")
        with pytest.raises(InvalidError, match="ownerless"):
            activate_agent(actor=workshop.shell, agent=agent)


def test_suspended_agent_comes_back_retired_does_not(workshop: Workshop) -> None:
    """Its principal follows; each step is recorded with its reason."""
    with workshop.open():
        agent = serving(workshop, workshop.agent())
        activate_agent(actor=workshop.shell, agent=agent)
        with pytest.raises(ConflictError):
            activate_agent(actor=workshop.shell, agent=agent)
        suspend_agent(actor=workshop.shell, agent=agent, reason="misbehaves")
        assert Principal.objects.get(pk=agent.id).state == PrincipalState.SUSPENDED
        activate_agent(actor=workshop.shell, agent=agent, reason="mended")
        assert Principal.objects.get(pk=agent.id).state == PrincipalState.ACTIVE
        retire_agent(actor=workshop.shell, agent=agent, reason="replaced")
        with pytest.raises(ConflictError, match="retired"):
            activate_agent(actor=workshop.shell, agent=agent)
        assert [entry.reason for entry in workshop.entries("agent.activate")] == ["", "mended"]
        assert workshop.entries("agent.retire")[0].reason == "replaced"


@pytest.mark.parametrize("verb", [suspend_agent, retire_agent])
def test_stopping_needs_a_reason(workshop: Workshop, verb: Any) -> None:
    """Somebody will ask."""
    with workshop.open():
        agent = workshop.agent()
        with pytest.raises(InvalidError, match="reason"):
            verb(actor=workshop.shell, agent=agent, reason="")


def test_sponsor_is_an_active_person_of_the_organisation(workshop: Workshop) -> None:
    """No service, nobody suspended, nobody from elsewhere."""
    other = make_workshop()
    with workshop.open():
        agent = workshop.agent()
        service = create_service(actor=workshop.shell, organisation=workshop.organisation, name="Robot")
        for sponsor in (service, other.sponsor, agent.principal):
            with pytest.raises(InvalidError):
                change_sponsor(actor=workshop.shell, agent=agent, sponsor=sponsor)
            with pytest.raises(InvalidError):
                create_agent(
                    actor=workshop.shell, team=workshop.team, slug="two", name="Two", purpose="", sponsor=sponsor
                )


def test_slug_is_unique(workshop: Workshop) -> None:
    """In the organisation."""
    with workshop.open():
        workshop.agent()
        with pytest.raises(ConflictError, match="already"):
            workshop.agent()


def test_agents_make_no_agents(workshop: Workshop) -> None:
    """Nor stop or sponsor any."""
    with workshop.open():
        agent = workshop.agent()
        for attempt in (
            lambda: create_agent(
                actor=workshop.an_agent, team=workshop.team, slug="x", name="X", purpose="", sponsor=workshop.sponsor
            ),
            lambda: activate_agent(actor=workshop.an_agent, agent=agent),
            lambda: suspend_agent(actor=workshop.an_agent, agent=agent, reason="r"),
            lambda: change_sponsor(actor=workshop.an_agent, agent=agent, sponsor=workshop.sponsor),
        ):
            with pytest.raises(InvalidError, match="agent"):
                attempt()
