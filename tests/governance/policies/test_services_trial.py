"""Would this act pass?"""

from typing import Any

import pytest

from agents.gate import Effect
from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from agents.tools.models import Tool
from agents.tools.services import disable_tool
from foundation.audit.models import AuditEntry
from foundation.errors import InvalidError
from governance.policies.evaluation import Decision
from governance.policies.models import PolicyDecision
from governance.policies.services import create_policy
from governance.policies.trial import try_act
from tests.agents.workshop import Workshop, make_workshop

POLICY = """
@id("searches") permit (principal == Agent::"clerk", action == Action::"tool_call", resource == Tool::"papers.search");
@id("thinks") permit (principal in Team::"desk", action == Action::"model_call", resource == Model::"small");
@id("delegates") permit (principal, action == Action::"delegation", resource) when { resource in Team::"desk" };
@id("no-strangers-words")
forbid (principal, action == Action::"tool_call", resource == Tool::"papers.search")
when { context.args.query == "poison" } unless { context.provenance.query.integrity == "trusted" };
@id("ask-first") @ask("May I search for {query}?") @approvers("approver")
forbid (principal, action == Action::"tool_call", resource == Tool::"papers.search")
when { context.args.query == "secret" } unless { context.approved };
@id("not-for-ever")
forbid (principal, action == Action::"tool_call", resource) when { context.history.target_calls >= 3 };
"""


@pytest.fixture
def workshop(database: Any) -> Workshop:
    """With a clerk that serves, a helper that it may delegate to, and policies."""
    workshop = make_workshop()
    with workshop.open():
        serve(workshop, workshop.agent("helper"), [], [])
        serve(workshop, workshop.agent("clerk"), ["papers.search", "papers.read"], ["helper"])
        create_policy(actor=workshop.shell, slug="rules", name="Rules", source=POLICY)
    return workshop


def serve(workshop: Workshop, agent: Agent, tools: list[str], delegates: list[str]) -> None:
    """Publish a version and let it serve."""
    version = publish_version(
        actor=workshop.shell,
        agent=agent,
        instructions="Work.",
        language_model=workshop.model,
        tools=tools,
        delegates=delegates,
    )
    serve_version(actor=workshop.shell, agent=agent, version=version)


def trial(workshop: Workshop, target: str = "papers.search", kind: str = "tool_call", **options: Any) -> Decision:
    """The clerk's act."""
    values: dict[str, Any] = {"agent_slug": "clerk", "arguments": {"query": "rules"}} | options
    with workshop.open():
        return try_act(organisation=workshop.organisation, kind=kind, target=target, **values)


def test_allowed_with_its_policy(workshop: Workshop) -> None:
    """And with the policy's version."""
    decision = trial(workshop)
    assert decision.effect is Effect.ALLOW
    assert [(one.policy, one.version, one.effect) for one in decision.determinants] == [("rules", 1, "permit")]


def test_what_no_policy_permits_is_refused(workshop: Workshop) -> None:
    """Although the agent has the tool."""
    decision = trial(workshop, "papers.read", arguments={"name": "rules"})
    assert decision.effect is Effect.DENY
    assert "No policy permits" in decision.reasons[0]


def test_a_person_would_be_asked(workshop: Workshop) -> None:
    """With the question and who answers it."""
    decision = trial(workshop, arguments={"query": "secret"})
    assert decision.effect is Effect.ASK
    assert decision.obligation is not None
    assert decision.obligation.question == "May I search for secret?"


def test_values_count_as_untrusted_unless_said_otherwise(workshop: Workshop) -> None:
    """Doubt refuses."""
    assert trial(workshop, arguments={"query": "poison"}).effect is Effect.DENY
    assert trial(workshop, arguments={"query": "poison"}, integrity="trusted").effect is Effect.ALLOW


def test_history_can_be_given(workshop: Workshop) -> None:
    """As if it had called three times."""
    assert trial(workshop, history={"target_calls": 3}).effect is Effect.DENY


def test_models_and_delegates(workshop: Workshop) -> None:
    """By their slugs."""
    assert trial(workshop, "small", "model_call").effect is Effect.ALLOW
    assert trial(workshop, "huge", "model_call").effect is Effect.DENY
    assert trial(workshop, "helper", "delegation").effect is Effect.ALLOW
    assert trial(workshop, "clerk", "delegation").effect is Effect.DENY


@pytest.mark.parametrize(
    ("target", "arguments", "reason"),
    [
        ("papers.search", {}, "schema"),
        ("papers.search", {"query": "a", "extra": 1}, "schema"),
        ("papers.burn", {"query": "a"}, "no tool called"),
    ],
)
def test_what_could_not_be_called_is_refused(
    workshop: Workshop, target: str, arguments: dict[str, Any], reason: str
) -> None:
    """Whatever the policies say."""
    decision = trial(workshop, target, arguments=arguments)
    assert decision.effect is Effect.DENY
    assert reason in decision.reasons[0]


def test_disabled_tool_is_refused(workshop: Workshop) -> None:
    """As the engine would."""
    with workshop.open():
        disable_tool(actor=workshop.shell, tool=Tool.objects.get(name="papers.search"))
    assert "disabled" in trial(workshop).reasons[0]


def test_without_policies_everything_is_refused(database: Any) -> None:
    """Silence refuses."""
    bare = make_workshop()
    with bare.open():
        serve(bare, bare.agent("clerk"), ["papers.search"], [])
    assert "nothing is permitted" in trial(bare).reasons[0]


def test_unknown_agents_and_kinds(workshop: Workshop) -> None:
    """Are bad questions, not refusals."""
    for changes in ({"agent_slug": "nobody"}, {"kind": "dance"}):
        with pytest.raises(InvalidError):
            trial(workshop, **changes)
    with workshop.open():
        workshop.agent("empty")
    with pytest.raises(InvalidError, match="no version"):
        trial(workshop, agent_slug="empty")


def test_nothing_is_recorded(workshop: Workshop) -> None:
    """Trying is not doing."""
    with workshop.open():
        before = AuditEntry.objects.count()
    trial(workshop)
    with workshop.open():
        assert AuditEntry.objects.count() == before
        assert not PolicyDecision.objects.exists()
