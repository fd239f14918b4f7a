"""What a decision rests on besides the act itself, read from the rows; and the agents above, whose rights bound it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agents.gate import Action, ActionKind, Effect, Obligation
from agents.registry.models import Agent
from agents.runs.definitions import Definitions
from foundation.identity.models import PrincipalState
from governance.policies.compiled import CompiledSet
from governance.policies.evaluation import Decision, decide
from governance.policies.facts import Facts, facts_of

_RISKS = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts, as the definitions have it: teams and sponsor of the agent, the agents above it whose rights bound it.

    `refusal` says who of the chain may not act any more, in a sentence; empty if all may.
    """

    teams: tuple[str, ...]
    sponsor: str | None
    above: tuple[Agent, ...]
    refusal: str


def party_of(action: Action, known: Definitions) -> Party:
    """Who does an act: the same for all acts of a run, as long as nothing of it is defined anew."""
    return known.once(("party", action.agent, action.principals), lambda: _party(action, known))


def facts_now(action: Action, known: Definitions, *, now: datetime, approved: bool) -> Facts:
    """The facts of an act, with teams and sponsor as they are defined."""
    who = party_of(action, known)
    return facts_of(
        action, now=now, approved=approved, history={}, teams=who.teams, target_teams=_target_teams(action, known),
        sponsor=who.sponsor,
    )  # fmt: skip


def narrowed(compiled: CompiledSet, action: Action, facts: Facts, known: Definitions) -> Decision:
    """The decision on an act, and on the same act by each agent above: a child may do what all of them may.

    The start of a run is the delegation, which was decided for the agent above already.
    """
    decision = decide(compiled, facts)
    if action.kind is ActionKind.RUN_START:
        return decision
    for agent in party_of(action, known).above:
        if decision.effect is Effect.DENY:
            return decision
        theirs = decide(compiled, _as_if_by(facts, agent, known))
        if theirs.effect is Effect.DENY:
            reason = f"{agent.name}, which gave this work, may not do it itself"
            return Decision(Effect.DENY, (reason, *theirs.reasons), theirs.determinants, shadow=decision.shadow)
        if theirs.effect is Effect.ASK:
            decision = _stricter(decision, theirs)
    return decision


def _party(action: Action, known: Definitions) -> Party:
    agent = known.agent(action.agent)
    # The id of an agent is that of its principal; the people in the chain are no agents.
    above = tuple(known.agents_among(action.principals[1:]))
    return Party(known.team_slugs(agent.team_id), _text(agent.sponsor_id), above, _refusal(action, known))


def _refusal(action: Action, known: Definitions) -> str:
    found = known.principals(action.principals)
    if not action.principals or set(action.principals) - set(found):
        return "Nobody knows in whose name this is to happen."
    suspended = [name for name, state in found.values() if state != PrincipalState.ACTIVE]
    return f"{suspended[0]} is suspended: nothing is done in that name." if suspended else ""


def _as_if_by(facts: Facts, agent: Agent, known: Definitions) -> Facts:
    return replace(facts, agent=agent.slug, teams=known.team_slugs(agent.team_id), sponsor=_text(agent.sponsor_id))


def _stricter(ours: Decision, theirs: Decision) -> Decision:
    one, other = ours.obligation, theirs.obligation
    if one is None or other is None:
        return replace(theirs, shadow=ours.shadow)
    joined = Obligation(
        approvers=tuple(dict.fromkeys((*one.approvers, *other.approvers))),
        quorum=max(one.quorum, other.quorum),
        expires_in=min(one.expires_in, other.expires_in),
        question=one.question,
        risk=max(one.risk, other.risk, key=_RISKS.index),
    )
    determinants = tuple(dict.fromkeys((*ours.determinants, *theirs.determinants)))
    reasons = tuple(dict.fromkeys((*ours.reasons, *theirs.reasons)))
    return replace(ours, reasons=reasons, determinants=determinants, obligation=joined)


def _target_teams(action: Action, known: Definitions) -> tuple[str, ...] | None:
    if action.kind is not ActionKind.DELEGATION or action.target_id is None:
        return None
    return known.team_slugs(known.agent(action.target_id).team_id)


def _text(identifier: Any) -> str | None:
    return str(identifier) if identifier else None
