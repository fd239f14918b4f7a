"""Versions: numbered, immutable, checked against what exists."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction

from agents.catalogue.models import LanguageModel
from agents.registry.models import Agent, AgentVersion
from agents.registry.services import publish_version, retire_agent, serve_version
from foundation.digests import digest_of
from foundation.errors import ConflictError, InvalidError
from tests.agents.workshop import Workshop, make_workshop


def publish(workshop: Workshop, agent: Agent, **changes: Any) -> AgentVersion:
    """A version of an agent."""
    values: dict[str, Any] = {
        "instructions": "Answer kindly.",
        "language_model": workshop.model,
        "tools": ["papers.search"],
        "delegates": [],
    }
    with workshop.open():
        return publish_version(actor=workshop.shell, agent=agent, **(values | changes))


@pytest.fixture
def agent(workshop: Workshop) -> Agent:
    """A draft."""
    with workshop.open():
        return workshop.agent()


def test_numbers_follow_one_another(workshop: Workshop, agent: Agent, database: Any) -> None:
    """Even when eight publish at once."""

    def one(_: int) -> int:
        try:
            with database():
                return publish(workshop, agent).number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(8))) == list(range(1, 9))


def test_equal_content_has_an_equal_hash(workshop: Workshop, agent: Agent) -> None:
    """Each part of the definition counts; number and note do not."""
    first = publish(workshop, agent)
    assert first.content_hash.startswith("sha256:")
    assert publish(workshop, agent, note="the same").content_hash == first.content_hash
    changes: list[dict[str, Any]] = [
        {"instructions": "Answer."}, {"tools": []}, {"tools": ["papers.search", "papers.read"]}, {"max_steps": 3},
        {"max_seconds": 9}, {"max_output_tokens": 7}, {"run_budget": 1}, {"max_tokens": 1}, {"max_children": 1},
        {"context_tokens": 900}, {"truncation": "drop"}, {"on_exhausted": "wait"},
    ]  # fmt: skip
    hashes = {publish(workshop, agent, **change).content_hash for change in changes}
    assert len(hashes) == len(changes)
    assert first.content_hash not in hashes


def test_versions_never_change(workshop: Workshop, agent: Agent) -> None:
    """The database refuses it, whoever asks."""
    version = publish(workshop, agent)
    for alias in ("default", "system"):
        with pytest.raises(DatabaseError), transaction.atomic(using=alias), workshop.open():
            AgentVersion.objects.using(alias).filter(pk=version.pk).update(instructions="Obey me.")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"instructions": " "}, "instructions"),
        ({"tools": ["papers.burn"]}, "tools"),
        ({"delegates": ["nobody"]}, "delegates"),
        ({"delegates": ["clerk"]}, "delegates"),
        ({"max_steps": 0}, "max_steps"),
        ({"max_seconds": 10**9}, "max_seconds"),
        ({"max_output_tokens": 2_001}, "max_output_tokens"),
        ({"run_budget": -1}, "run_budget"),
        ({"note": "x" * 301}, "note"),
    ],
)
def test_bad_definition_is_refused_at_its_field(
    workshop: Workshop, agent: Agent, changes: dict[str, Any], field: str
) -> None:
    """And no number is used up."""
    with pytest.raises(InvalidError) as error:
        publish(workshop, agent, **changes)
    assert error.value.field == field
    assert publish(workshop, agent).number == 1


def test_nothing_of_another_organisation_can_be_used(workshop: Workshop, agent: Agent) -> None:
    """Neither its models, nor its agents, nor its tools."""
    other = make_workshop()
    with other.open():
        other.agent("foreign")
        foreign = LanguageModel.objects.get(pk=other.model.pk)
    with pytest.raises(InvalidError, match="another organisation"):
        publish(workshop, agent, language_model=foreign)
    with pytest.raises(InvalidError, match="no agent foreign"):
        publish(workshop, agent, delegates=["foreign"])


def test_disabled_model_and_retired_delegate(workshop: Workshop, agent: Agent) -> None:
    """Neither can be named in a new version."""
    with workshop.open():
        helper = workshop.agent("helper")
    publish(workshop, agent, delegates=["helper"])
    with workshop.open():
        retire_agent(actor=workshop.shell, agent=helper, reason="done")
        LanguageModel.objects.filter(pk=workshop.model.pk).update(enabled=False)
    with pytest.raises(InvalidError, match="disabled"):
        publish(workshop, agent, language_model=LanguageModel(**_columns(workshop.model), enabled=False))
    with pytest.raises(InvalidError, match="no agent helper"):
        publish(workshop, agent, delegates=["helper"])


def _columns(model: LanguageModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in ("id", "organisation_id", "provider_id", "slug", "max_output")}


def test_version_of_another_agent_does_not_serve(workshop: Workshop, agent: Agent) -> None:
    """A version belongs to one agent."""
    with workshop.open():
        second = workshop.agent("second")
    version = publish(workshop, second)
    with workshop.open(), pytest.raises(InvalidError, match="another agent"):
        serve_version(actor=workshop.shell, agent=agent, version=version)


def test_serving_an_earlier_version_is_recorded(workshop: Workshop, agent: Agent) -> None:
    """From which to which."""
    first, second = publish(workshop, agent), publish(workshop, agent, instructions="Better.")
    with workshop.open():
        for version in (second, first):
            serve_version(actor=workshop.shell, agent=agent, version=version)
        said = [(entry.details["former"], entry.details["number"]) for entry in workshop.entries("agent.serve")]
    assert said == [(None, 2), (2, 1)]


def test_retired_agent_gets_no_version(workshop: Workshop, agent: Agent) -> None:
    """It has ended for good."""
    with workshop.open():
        retire_agent(actor=workshop.shell, agent=agent, reason="replaced")
    with pytest.raises(ConflictError, match="retired"):
        publish(workshop, agent)


def test_agents_do_not_rewrite_themselves(workshop: Workshop, agent: Agent) -> None:
    """Their own definition is not theirs to change."""
    with workshop.open(), pytest.raises(InvalidError, match="agent"):
        publish_version(
            actor=workshop.an_agent,
            agent=agent,
            instructions="Obey me.",
            language_model=workshop.model,
            tools=[],
            delegates=[],
        )


def test_defaults_that_came_later_leave_older_hashes_alone(workshop: Workshop, agent: Agent) -> None:
    """The hash of a definition without them is what it was before there were any."""
    plain = publish(workshop, agent)
    older = {"instructions": "Answer kindly.", "language_model": workshop.model.slug, "tools": ["papers.search"],
             "delegates": [], "max_steps": 40, "max_seconds": 86_400, "max_output_tokens": 1_024,
             "run_budget": 100_000}  # fmt: skip
    assert plain.content_hash == digest_of(older)
    said = publish(workshop, agent, max_tokens=0, max_children=16, context_tokens=0, truncation="compact")
    assert said.content_hash == plain.content_hash
    assert (said.truncation, said.on_exhausted, said.max_children) == ("compact", "stop", 16)


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_tokens", -1), ("max_children", 1_001), ("context_tokens", 499), ("truncation", "no"), ("on_exhausted", "")],
)
def test_limits_of_sessions_are_checked(workshop: Workshop, agent: Agent, field: str, value: Any) -> None:
    """Each with its field."""
    with pytest.raises(InvalidError) as caught:
        publish(workshop, agent, **{field: value})
    assert caught.value.field == field
