"""A compiled set of policies: parsed once, and sliced by agent, action and target, so that a decision meets few.

A slice holds every policy whose scope does not rule the request out; what its scope leaves open is in every slice.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

import cedarpy

from agents.gate import Determinant
from governance.policies.annotations import Ask, annotation_problems, ask_of
from governance.policies.facts import Facts
from governance.policies.schema import PolicySchema
from governance.policies.scope import (
    EVERYTHING,
    Pins,
    arguments_read,
    attributes_read,
    context_read,
    exact,
    paths_read,
    pins_of,
    wholes_read,
)
from governance.policies.source import SourceError, statements

_SLICES = 4_096


class Mode(StrEnum):
    """What a policy's word is worth."""

    OFF = "off"  # not asked
    LOG_ONLY = "log_only"  # asked and written down, not obeyed
    ENFORCE = "enforce"  # obeyed


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One version of a policy, as plain values; its source may hold several statements."""

    name: str
    version: int
    source: str
    mode: Mode = Mode.ENFORCE


@dataclass(frozen=True, eq=False)
class Rule:
    """One statement, ready: what it reads of `arguments`, of agents' `attributes`, of the `context`; its Cedar JSON.

    `paths` is where it looks in the arguments, however deep; `wholes` what of them it takes with all that is in it.
    """

    policy: PolicyText
    name: str
    effect: str
    ask: Ask | None
    pins: Pins
    arguments: frozenset[str]
    paths: frozenset[tuple[str, ...]]
    wholes: frozenset[tuple[str, ...]]
    attributes: frozenset[str]
    context: frozenset[str]
    body: str

    @cached_property
    def determinant(self) -> Determinant:
        """What a decision says of it."""
        return Determinant(self.policy.name, self.policy.version, self.effect)

    @cached_property
    def title(self) -> str:
        """What a person calls it: `refund-limits/large-refund (version 2)`."""
        part = f"/{self.name}" if self.name and self.name != self.policy.name else ""
        return f"{self.policy.name}{part} (version {self.policy.version})"


@dataclass(frozen=True, eq=False)
class RuleSet:
    """Rules that are asked together, known to Cedar by their place."""

    rules: tuple[Rule, ...]

    @cached_property
    def parsed(self) -> cedarpy.PolicySet:
        """Cedar's handle."""
        bodies = ",".join(f'"{place}":{rule.body}' for place, rule in enumerate(self.rules))
        return cedarpy.PolicySet.from_json_str(f'{{"staticPolicies":{{{bodies}}},"templates":{{}},"templateLinks":[]}}')

    @cached_property
    def arguments(self) -> frozenset[str]:
        """All the arguments that they read."""
        return frozenset().union(*(rule.arguments for rule in self.rules))

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """All the places in the arguments where they look, in order."""
        return tuple(sorted(frozenset().union(*(rule.paths for rule in self.rules))))

    @cached_property
    def wholes(self) -> tuple[tuple[str, ...], ...]:
        """All that they take whole of the arguments, in order."""
        return tuple(sorted(frozenset().union(*(rule.wholes for rule in self.rules))))

    @cached_property
    def attributes(self) -> frozenset[str]:
        """All the attributes that they speak of."""
        return frozenset().union(*(rule.attributes for rule in self.rules))

    @cached_property
    def context(self) -> frozenset[str] | None:
        """All the attributes of the context that they read; None for whatever there is."""
        read = frozenset().union(*(rule.context for rule in self.rules))
        return None if EVERYTHING in read else read


@dataclass(frozen=True, slots=True)
class Slice:
    """The policies that a request meets: the enforced, and these with the logged ones, or None if none is logged."""

    enforced: RuleSet
    tried: RuleSet | None


class CompiledSet:
    """Policies and their schema, ready to decide. Slices are made when first asked for, and kept."""

    def __init__(self, rules: Iterable[Rule], schema: PolicySchema) -> None:
        self.schema = schema
        self._pinned: dict[tuple[str | None, tuple[str, str] | None], list[Rule]] = defaultdict(list)
        for rule in rules:
            self._pinned[rule.pins.agent, rule.pins.resource].append(rule)
        self._slices: dict[tuple[str, str, str], Slice] = {}

    def slice_for(self, facts: Facts) -> Slice:
        """The slice of a request."""
        key = facts.agent, facts.action_name, facts.target
        found = self._slices.get(key)
        if found is None:
            if len(self._slices) >= _SLICES:
                self._slices.clear()
            found = self._slices[key] = self._cut(facts)
        return found

    def _cut(self, facts: Facts) -> Slice:
        target = (facts.resource_type, facts.target)
        met = [
            rule
            for agent in (facts.agent, None)
            for resource in (target, None)
            for rule in self._pinned.get((agent, resource), ())
            if rule.pins.actions is None or rule.pins.actions & {facts.action_name, facts.group}
        ]
        enforced = tuple(rule for rule in met if rule.policy.mode is Mode.ENFORCE)
        return Slice(RuleSet(enforced), RuleSet(tuple(met)) if len(met) > len(enforced) else None)


def compile_policies(policies: Iterable[PolicyText], schema: PolicySchema) -> CompiledSet:
    """The compiled set of policies; those that are off are left out. Raises SourceError for a source that is broken."""
    return _compiled(tuple(policies), schema)


@lru_cache(maxsize=64)
def _compiled(policies: tuple[PolicyText, ...], schema: PolicySchema) -> CompiledSet:
    tools = schema.known["Tool"]
    rules = (rule for policy in policies if policy.mode is not Mode.OFF for rule in _rules(policy, tools))
    return CompiledSet(rules, schema)


@lru_cache(maxsize=16_384)
def _rules(policy: PolicyText, tools: frozenset[str]) -> tuple[Rule, ...]:
    rules = []
    for statement in statements(policy.source):
        if problems := tuple(annotation_problems(statement)):
            raise SourceError(problems)
        tree = exact(statement.tree)
        rules.append(
            Rule(
                policy=policy,
                name=statement.name,
                effect=tree["effect"],
                ask=ask_of(statement.annotations),
                pins=pins_of(tree, tools),
                arguments=arguments_read(tree),
                paths=paths_read(tree),
                wholes=wholes_read(tree),
                attributes=attributes_read(tree),
                context=context_read(tree),
                body=json.dumps(tree | {"annotations": {}}),
            )
        )
    return tuple(rules)
