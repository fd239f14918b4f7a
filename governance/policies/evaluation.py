"""Decisions: allow, deny or ask, with the policies that determined them and reasons that a person understands.

Doubt refuses: an error anywhere, in any policy that was asked, is a denial. (Cedar skips a forbid whose condition
fails, which by itself would allow.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cedarpy

from agents.gate import Determinant, Effect, Obligation
from governance.policies.annotations import RISKS, Ask, fill
from governance.policies.compiled import CompiledSet, Rule, RuleSet
from governance.policies.facts import Facts
from governance.policies.request import entities_of, projected, request_of
from governance.policies.schema import Arguments
from governance.policies.scope import EVERYTHING
from governance.policies.shapes import Record, hides, is_hidden

NO_PERMIT = "No policy permits this"
_NO_ARGUMENTS = Arguments(Record(), frozenset())


class DoubtError(Exception):
    """Something needed for a decision is wrong or missing; says what, in a sentence."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a set of policies says of an act. An ask comes with its obligation."""

    effect: Effect
    reasons: tuple[str, ...]
    determinants: tuple[Determinant, ...] = ()
    obligation: Obligation | None = None


@dataclass(frozen=True, slots=True)
class Decision(Outcome):
    """What the enforced policies say. `shadow` is what would be said if the logged ones were enforced too, or None."""

    shadow: Outcome | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    allowed: bool
    rules: tuple[Rule, ...]


def decide(compiled: CompiledSet, facts: Facts) -> Decision:
    """The decision on an act. It never raises: an error is a denial."""
    try:
        met = compiled.slice_for(facts)
    except Exception as error:  # noqa: BLE001 - whatever happened, the answer is no
        return Decision(Effect.DENY, (_broken(error),))
    outcome = _outcome(met.enforced, compiled, facts)
    shadow = _outcome(met.tried, compiled, facts) if met.tried is not None else None
    return Decision(outcome.effect, outcome.reasons, outcome.determinants, outcome.obligation, shadow)


def _outcome(rules: RuleSet, compiled: CompiledSet, facts: Facts) -> Outcome:
    try:
        return _judge(rules, compiled, facts)
    except DoubtError as doubt:
        return Outcome(Effect.DENY, (str(doubt),))
    except Exception as error:  # noqa: BLE001 - whatever happened, the answer is no
        return Outcome(Effect.DENY, (_broken(error),))


def _broken(error: Exception) -> str:
    return f"The policies could not be asked ({type(error).__name__}), so this is refused"


def _judge(rules: RuleSet, compiled: CompiledSet, facts: Facts) -> Outcome:
    if not rules.rules:
        return Outcome(Effect.DENY, (NO_PERMIT,))
    arguments = _judged_arguments(rules, compiled, facts)
    answer = _ask_cedar(rules, facts, arguments)
    determinants = tuple(dict.fromkeys(rule.determinant for rule in answer.rules))
    if answer.allowed:
        return Outcome(Effect.ALLOW, _sentences("permits this", answer.rules), determinants)
    if not answer.rules:
        return Outcome(Effect.DENY, (NO_PERMIT,))
    asks = [rule.ask for rule in answer.rules if rule.ask is not None]
    if len(asks) < len(answer.rules) or facts.approved:
        refusing = [rule for rule in answer.rules if rule.ask is None or facts.approved]
        return Outcome(Effect.DENY, _sentences("forbids it", refusing), determinants)
    # Without this second look, an agent that nothing permits would be asked about instead of refused.
    approved = _ask_cedar(rules, facts.with_approval(), arguments)
    if approved.allowed:
        return Outcome(Effect.ASK, _sentences("asks people first", answer.rules), determinants, _joined(asks, facts))
    return Outcome(Effect.DENY, _sentences("forbids it", approved.rules) or (NO_PERMIT,), determinants)


def _sentences(verb: str, rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"Policy {rule.title} {verb}" for rule in rules))


def _judged_arguments(rules: RuleSet, compiled: CompiledSet, facts: Facts) -> dict[str, Any]:
    """The arguments in Cedar's form; raises DoubtError if the policies need what is not known."""
    if facts.estimate is None:
        message = "Nobody knows what this can cost, so it is refused"
        raise DoubtError(message)
    if unknown := sorted(rules.attributes & facts.unknown):
        message = f"Policies speak of the agent's {unknown[0]}, which is not known here, so this is refused"
        raise DoubtError(message)
    declared = compiled.schema.tools.get(facts.target) if facts.resource_type == "Tool" else _NO_ARGUMENTS
    if declared is None:
        message = f"The policies do not know a tool called {facts.target}, so it is refused"
        raise DoubtError(message)
    if facts.resource_type == "Tool":
        hidden = next((path for path in rules.paths if is_hidden(facts.arguments, declared.shape, path)), None)
        if hidden is not None:
            message = f"Policies read the argument {'.'.join(hidden)}, which has no type, so this is refused"
            raise DoubtError(message)
        partly = next((path for path in rules.wholes if hides(facts.arguments, declared.shape, path)), None)
        if partly is not None:
            what = f"the argument {'.'.join(partly)}" if partly else "all arguments together"
            message = f"Policies read {what}, part of which has no type, so this is refused"
            raise DoubtError(message)
    arguments, unfit = projected(facts, declared, None if EVERYTHING in rules.arguments else rules.arguments)
    if unfit:
        message = f"Policies read the argument {min(unfit)}, whose value does not fit its type, so this is refused"
        raise DoubtError(message)
    return arguments


def _ask_cedar(rules: RuleSet, facts: Facts, arguments: dict[str, Any]) -> _Answer:
    result = cedarpy.is_authorized(request_of(facts, arguments, rules.context), rules.parsed, entities_of(facts))
    if errors := result.diagnostics.errors:
        raise DoubtError(_explained(rules, errors[0]))
    determining = sorted(int(place) for place in result.diagnostics.reasons)
    return _Answer(result.allowed, tuple(rules.rules[place] for place in determining))


def _explained(rules: RuleSet, error: str) -> str:
    opening, quote, rest = error.partition("error while evaluating policy `")
    place, _, cause = rest.partition("`: ")
    if opening or not quote or not place.isdecimal():
        return f"The policies could not be asked, so this is refused: {error}"
    return f"Policy {rules.rules[int(place)].title} could not be evaluated, so this is refused: {cause}"


def _joined(asks: list[Ask], facts: Facts) -> Obligation:
    """What all the asks require together: every group, the most votes, the shortest wait, the highest risk."""
    return Obligation(
        approvers=tuple(dict.fromkeys(group for ask in asks for group in ask.approvers)),
        quorum=max(ask.quorum for ask in asks),
        expires_in=min(ask.expires_in for ask in asks),
        question=fill(asks[0].question, facts.arguments),
        risk=max((ask.risk for ask in asks), key=RISKS.index),
    )
