"""Every way from one state of an agent's life to another, and every way that there is not; with four eyes between."""

from dataclasses import replace
from typing import Any

import pytest

from agents.registry.models import Agent, AgentState
from agents.registry.reviewing import return_agent, submit_agent, take_over_agent
from agents.registry.services import activate_agent, publish_version, retire_agent, serve_version, suspend_agent
from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal, PrincipalState
from foundation.identity.services import add_person, create_service, suspend_principal
from foundation.ids import uuid7
from tests.agents.workshop import Workshop

STATES = {
    "draft": [],
    "in_review": [submit_agent],
    "active": [submit_agent, activate_agent],
    "suspended": [submit_agent, activate_agent, suspend_agent],
    "retired": [retire_agent],
}
VERBS = {"submit": submit_agent, "return": return_agent, "activate": activate_agent, "suspend": suspend_agent,
         "retire": retire_agent}  # fmt: skip
WAYS = {
    ("draft", "submit"): "in_review", ("draft", "retire"): "retired",
    ("in_review", "return"): "draft", ("in_review", "activate"): "active", ("in_review", "retire"): "retired",
    ("active", "suspend"): "suspended", ("active", "retire"): "retired",
    ("suspended", "activate"): "active", ("suspended", "retire"): "retired",
}  # fmt: skip


def person(workshop: Workshop, name: str) -> Actor:
    made = add_person(
        actor=workshop.shell, organisation=workshop.organisation, email=f"{uuid7()}@example.org", name=name
    )
    return Actor(kind=ActorKind.PERSON, name=name, principal=made.principal_id, organisation=workshop.organisation.id)


def ready(workshop: Workshop, builder: Actor) -> Agent:
    """A draft that could serve."""
    agent = workshop.agent()
    version = publish_version(actor=builder, agent=agent, instructions="x", language_model=workshop.model, tools=[],
                              delegates=[])  # fmt: skip
    return serve_version(actor=builder, agent=agent, version=version)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", STATES)
def test_every_way_that_there_is_and_no_other(workshop: Workshop, state: str, verb: str) -> None:
    with workshop.open():
        builder, reviewer = person(workshop, "Builder"), person(workshop, "Reviewer")
        agent = ready(workshop, builder)
        for step in STATES[state]:
            step(actor=builder if step is submit_agent else reviewer, agent=agent, reason="so")
        assert Agent.objects.get(pk=agent.pk).state == state
        before = len(workshop.entries(f"agent.{verb}"))
        if (state, verb) in WAYS:
            VERBS[verb](actor=reviewer, agent=agent, reason="so")
            assert len(workshop.entries(f"agent.{verb}")) == before + 1
        else:
            with pytest.raises((ConflictError, InvalidError)):
                VERBS[verb](actor=reviewer, agent=agent, reason="so")
        assert Agent.objects.get(pk=agent.pk).state == WAYS.get((state, verb), state)


def test_whoever_sent_it_does_not_pass_it(workshop: Workshop) -> None:
    with workshop.open():
        builder, reviewer = person(workshop, "Builder"), person(workshop, "Reviewer")
        agent = ready(workshop, builder)
        submit_agent(actor=builder, agent=agent)
        with pytest.raises(InvalidError, match="yourself"):
            activate_agent(actor=builder, agent=agent)
        robot = create_service(actor=workshop.shell, organisation=workshop.organisation, name="Robot")
        service = replace(builder, kind=ActorKind.SERVICE, principal=robot.pk)
        with pytest.raises(InvalidError, match="Only a person reviews"):
            activate_agent(actor=service, agent=agent)
        assert activate_agent(actor=reviewer, agent=agent).state == AgentState.ACTIVE


def test_a_service_is_no_second_pair_of_eyes(workshop: Workshop) -> None:
    with workshop.open():
        builder, reviewer = person(workshop, "Builder"), person(workshop, "Reviewer")
        robot = create_service(actor=workshop.shell, organisation=workshop.organisation, name="Robot")
        service = replace(builder, kind=ActorKind.SERVICE, principal=robot.pk)
        agent = ready(workshop, service)  # automation publishes, and lets it serve
        with pytest.raises(InvalidError, match=r"Only a person sends .* then a person sends the agent in"):
            submit_agent(actor=service, agent=agent)
        submit_agent(actor=builder, agent=agent)
        # As a former release would have left it.
        Agent.objects.filter(pk=agent.pk).update(submitted_by=robot)
        for one in (builder, reviewer):
            with pytest.raises(InvalidError, match="A service sent"):
                activate_agent(actor=one, agent=agent)
        return_agent(actor=reviewer, agent=agent, reason="Let a person send it.")
        submit_agent(actor=builder, agent=agent)
        assert activate_agent(actor=reviewer, agent=agent).state == AgentState.ACTIVE


def test_where_nobody_else_is_there_one_person_does_both(workshop: Workshop) -> None:
    with workshop.open():
        alone = Actor(kind=ActorKind.PERSON, name="Sponsor", principal=workshop.sponsor.pk,
                      organisation=workshop.organisation.id)  # fmt: skip
        agent = ready(workshop, alone)
        with pytest.raises(InvalidError, match="review first"):
            activate_agent(actor=alone, agent=agent)
        submit_agent(actor=alone, agent=agent)
        assert activate_agent(actor=alone, agent=agent).state == AgentState.ACTIVE


def test_what_is_reviewed_is_what_serves(workshop: Workshop) -> None:
    with workshop.open():
        builder, reviewer = person(workshop, "Builder"), person(workshop, "Reviewer")
        agent = ready(workshop, builder)
        submit_agent(actor=builder, agent=agent)
        later = publish_version(actor=builder, agent=agent, instructions="other", language_model=workshop.model,
                                tools=[], delegates=[])  # fmt: skip
        assert serve_version(actor=builder, agent=agent, version=later).state == AgentState.DRAFT
        with pytest.raises(InvalidError, match="review first"):
            activate_agent(actor=reviewer, agent=agent)


def test_a_draft_without_a_version_is_not_reviewed(workshop: Workshop) -> None:
    with workshop.open(), pytest.raises(InvalidError, match="no version"):
        submit_agent(actor=workshop.shell, agent=workshop.agent())


@pytest.mark.parametrize("state", [PrincipalState.SUSPENDED, PrincipalState.LEFT])
def test_an_ownerless_agent_is_taken_over_by_a_person(workshop: Workshop, state: Any) -> None:
    with workshop.open():
        other = person(workshop, "Other")
        agent = ready(workshop, other)
        with pytest.raises(ConflictError, match="answers for"):
            take_over_agent(actor=other, agent=agent)
        suspend_principal(actor=workshop.shell, principal=workshop.sponsor, reason="Away")
        Principal.objects.filter(pk=workshop.sponsor.pk).update(state=state)
        for stranger in (workshop.shell, workshop.an_agent):
            with pytest.raises(InvalidError):
                take_over_agent(actor=stranger, agent=agent)
        assert take_over_agent(actor=other, agent=agent).sponsor_id == other.principal
        assert workshop.entries("agent.take_over")[0].details["former"] == str(workshop.sponsor.pk)
