"""Would this act pass? Answered with the policies in force; nothing is done, held, or recorded.

Like the engine it refuses what could not be called at all. Money and approvals are not tried.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import jsonschema
from django.db import connection
from referencing import Registry

from agents.catalogue.models import LanguageModel
from agents.gate import ActionKind, Effect
from agents.labels import Integrity, Label
from agents.registry.models import Agent, AgentVersion
from agents.tools.models import Tool, ToolState
from foundation.digests import digest_of
from foundation.errors import InvalidError
from foundation.organisations.models import Organisation, Team
from governance.policies.evaluation import Decision, decide
from governance.policies.facts import Facts
from governance.policies.schema import HISTORY
from governance.policies.standing import NoPoliciesError, standing_now


def try_act(
    *,
    organisation: Organisation,
    agent_slug: str,
    kind: str,
    target: str,
    arguments: Mapping[str, Any] | None = None,
    integrity: str = Integrity.UNTRUSTED,
    estimate: int = 0,
    history: Mapping[str, int] | None = None,
) -> Decision:
    """The decision on an act of the agent's serving version, at this moment.

    `target` is a tool's name, or the slug of a model or an agent. Every value counts as of `integrity`, `estimate` is
    in micro-units; `history` holds `calls`, `spent`, `target_calls`. InvalidError: there is no such agent or kind.
    """
    agent = Agent.objects.select_related("serving", "team__target").filter(
        organisation_id=organisation.id, slug=agent_slug
    ).first()  # fmt: skip
    if agent is None:
        raise InvalidError(f"There is no agent {agent_slug}.", "agent")
    if agent.serving is None:
        raise InvalidError(f"{agent.name} serves no version yet: publish one first.", "agent")
    given = dict(arguments or {})
    action = _checked_kind(kind)
    problem, effect = _problem_of(action, agent.serving, target, given)
    if problem:
        return Decision(Effect.DENY, (problem,))
    digest_of(given, "arguments")
    label = Label(Integrity(integrity))
    with connection.cursor() as cursor:
        try:
            policies, now = standing_now(cursor, organisation.id, "default")
        except NoPoliciesError as error:
            return Decision(Effect.DENY, (str(error),))
    facts = Facts(
        kind=action,
        agent=agent.slug,
        agent_version=agent.serving.content_hash,
        target=target,
        target_effect=effect,
        now=now,
        arguments=given,
        label=label,
        provenance=dict.fromkeys(given, label),
        history=dict.fromkeys(HISTORY, 0) | dict(history or {}),
        teams=_teams_above(agent.team),
        target_teams=_teams_of_target(action, agent, target),
        sponsor=str(agent.sponsor_id) if agent.sponsor_id else None,
        rehearsed=agent.serving.language_model.provider.rehearsal,
        estimate=estimate,
        currency=organisation.currency,
    )
    return decide(policies, facts)


def _checked_kind(kind: str) -> ActionKind:
    try:
        return ActionKind(kind)
    except ValueError as error:
        kinds = ", ".join(one.value for one in ActionKind)
        raise InvalidError(f"There is no kind of act {kind!r}: use one of {kinds}.", "kind") from error


def _problem_of(kind: ActionKind, version: AgentVersion, target: str, given: dict[str, Any]) -> tuple[str, str]:
    """Why the act could not happen whatever the policies say (empty if it can), and its effect."""
    own = {"organisation_id": version.organisation_id}
    match kind:
        case ActionKind.TOOL_CALL:
            tool = Tool.objects.select_related("connector").filter(**own, name=target).first()
            return (_problem_of_tool(tool, version, target, given), tool.effect if tool else "effect")
        case ActionKind.MODEL_CALL:
            known = LanguageModel.objects.filter(**own, slug=target).exists()
            return ("" if known else f"There is no model {target}.", "read")
        case ActionKind.DELEGATION:
            known = target in version.delegates
            return ("" if known else f"This agent may not delegate to {target}.", "idempotent")
        case ActionKind.RUN_START:
            known = target == version.agent.slug
            return ("" if known else "An agent starts runs of itself only.", "read")


def _problem_of_tool(tool: Tool | None, version: AgentVersion, name: str, given: dict[str, Any]) -> str:
    if tool is None or name not in version.tools:
        return f"This agent has no tool called {name}."
    if tool.state != ToolState.ACTIVE or not tool.connector.enabled:
        return f"The tool {name} is {tool.get_state_display().lower()}, or its connector is disabled."
    # An own, empty registry: a schema of a tool must not make us fetch what it refers to.
    checker = jsonschema.Draft202012Validator(tool.schema, registry=Registry())
    first = next(checker.iter_errors(given), None)
    return f"The arguments do not fit the tool's schema: {first.message[:200]}" if first else ""


def _teams_of_target(kind: ActionKind, agent: Agent, target: str) -> tuple[str, ...] | None:
    if kind is not ActionKind.DELEGATION:
        return None
    return _teams_above(Agent.objects.get(organisation_id=agent.organisation_id, slug=target).team)


def _teams_above(team: Team) -> tuple[str, ...]:
    """The slugs of a team and of those above it, nearest first."""
    lineage: list[UUID] = team.target.lineage
    slugs = dict(Team.objects.filter(pk__in=lineage).values_list("id", "slug"))
    return tuple(slugs[one] for one in lineage if one in slugs)
