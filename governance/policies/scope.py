"""What a policy's scope says of requests: the natural form made exact, the parts that pin it, the facts it reads.

`action == Action::"tool_call"` means *any tool call*; with `resource == Tool::"payments.refund"` beside it, *calls of
this tool*, whose arguments then have their types. In Cedar's own words that is the tool's action.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from governance.policies.schema import TOOL_CALL

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Pins:
    """What the scope fixes: the agent's slug, the actions' names, the resource's type and id; None fixes nothing."""

    agent: str | None
    actions: frozenset[str] | None
    resource: tuple[str, str] | None


def exact(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The policy with the natural forms of its action put into Cedar's own."""
    names, resource = _action_names(tree), _resource(tree)
    if resource and resource[0] == "Tool" and (names is None or names & {TOOL_CALL, resource[1]}):
        return dict(tree) | {"action": {"op": "==", "entity": {"type": "Action", "id": resource[1]}}}
    if tree["action"]["op"] == "==" and names == frozenset({TOOL_CALL}):
        return dict(tree) | {"action": dict(tree["action"]) | {"op": "in"}}
    return dict(tree)


def pins_of(tree: Mapping[str, Any], tools: frozenset[str]) -> Pins:
    """The pins of an exact policy. A tool's own action pins the tool."""
    names, resource = _action_names(tree), _resource(tree)
    if resource is None and names is not None and len(names) == 1 and names <= tools:
        resource = ("Tool", next(iter(names)))
    principal = tree["principal"]
    agent = principal["entity"]["id"] if _is_entity(principal, "Agent") else None
    return Pins(agent, names, resource)


def _action_names(tree: Mapping[str, Any]) -> frozenset[str] | None:
    action = tree["action"]
    if action["op"] == "All":
        return None
    entities = action["entities"] if "entities" in action else [action["entity"]]
    return frozenset(entity["id"] for entity in entities)


def _resource(tree: Mapping[str, Any]) -> tuple[str, str] | None:
    resource = tree["resource"]
    return (resource["entity"]["type"], resource["entity"]["id"]) if resource["op"] == "==" else None


def _is_entity(part: Mapping[str, Any], entity_type: str) -> bool:
    return bool(part["op"] == "==" and part["entity"]["type"] == entity_type)


def arguments_read(tree: Mapping[str, Any]) -> frozenset[str]:
    """The names of the arguments that the policy's conditions read; EVERYTHING if it reads them whole."""
    return frozenset(_read(tree["conditions"]))


def _read(node: Any) -> Iterator[str]:
    if node in (_CONTEXT, _ARGS):
        yield EVERYTHING
    elif isinstance(node, list):
        for part in node:
            yield from _read(part)
    elif isinstance(node, Mapping):
        for operator, part in node.items():
            if operator in (".", "has") and part["left"] == _ARGS:
                yield part["attr"]
            elif not (operator in (".", "has") and part["left"] == _CONTEXT and (operator, part["attr"]) != _BARE):
                yield from _read(part)


def paths_read(tree: Mapping[str, Any]) -> frozenset[tuple[str, ...]]:
    """Where in the arguments the policy's conditions look: `context.args has order.total` looks at order, and there."""
    return frozenset(_paths(tree["conditions"]))


def _paths(node: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(node, list):
        for part in node:
            yield from _paths(part)
    elif isinstance(node, Mapping):
        for operator, part in node.items():
            if operator in (".", "has") and (above := _path(part["left"])) is not None:
                yield (*above, part["attr"])
            yield from _paths(part)


def wholes_read(tree: Mapping[str, Any]) -> frozenset[tuple[str, ...]]:
    """What of the arguments the policy's conditions take as it is, with all that is in it, as `contains` and `==` do.

    Objects in sets are read in this way only: Cedar has no word that looks into one.
    """
    return frozenset(_wholes(tree["conditions"]))


def _wholes(node: Any) -> Iterator[tuple[str, ...]]:
    if node == _CONTEXT:
        yield ()
    elif isinstance(node, list):
        for part in node:
            yield from _wholes(part)
    elif isinstance(node, Mapping):
        if (path := _path(node)) is not None:
            yield path
            return
        for operator, part in node.items():
            if operator not in (".", "has"):
                yield from _wholes(part)
            elif part["left"] != _CONTEXT and _path(part["left"]) is None:
                yield from _wholes(part["left"])


def _path(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The way from the arguments down to what a node stands for; None if it is none of theirs."""
    if node == _ARGS:
        return ()
    above = _path(node["."]["left"]) if "." in node else None
    return None if above is None else (*above, node["."]["attr"])


_CONTEXT = {"Var": "context"}
_BARE = (".", "args")
_ARGS = {".": {"left": _CONTEXT, "attr": "args"}}


def context_read(tree: Mapping[str, Any]) -> frozenset[str]:
    """The attributes of the context that the policy's conditions read; EVERYTHING if they read it whole."""
    return frozenset(_context_read(tree["conditions"]))


def _context_read(node: Any) -> Iterator[str]:
    if node == _CONTEXT:
        yield EVERYTHING
    elif isinstance(node, list):
        for part in node:
            yield from _context_read(part)
    elif isinstance(node, Mapping):
        for operator, part in node.items():
            if operator in (".", "has") and part["left"] == _CONTEXT:
                yield part["attr"]
            else:
                yield from _context_read(part)


def attributes_read(tree: Mapping[str, Any]) -> frozenset[str]:
    """Which of `team` and `sponsor`, the facts of agents that may be unknown, the policy speaks of."""
    named = {kind for kind, _ in entities_named(tree)}
    spoken = {attribute for attribute, kind in (("team", "Team"), ("sponsor", "Person")) if kind in named}
    return frozenset(spoken | ({"team", "sponsor"} & set(_attributes(tree["conditions"]))))


def _attributes(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from _attributes(part)
    elif isinstance(node, Mapping):
        for operator, part in node.items():
            if operator in (".", "has") and not _in_context(part["left"]):
                yield part["attr"]
            yield from _attributes(part)


def _in_context(node: Mapping[str, Any]) -> bool:
    while "." in node:
        node = node["."]["left"]
    return node == _CONTEXT


def entities_named(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Type and id of every entity that the policy names."""
    yield from _entities([tree[part] for part in ("principal", "action", "resource", "conditions")])


def _entities(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for part in node:
            yield from _entities(part)
    elif isinstance(node, Mapping):
        if node.keys() == {"type", "id"}:
            yield node["type"], node["id"]
        for part in node.values():
            yield from _entities(part)


def compares_to_group(node: Any) -> bool:
    """True if a condition says `action == Action::"tool_call"`: never true, because a call's action is its tool's."""
    if isinstance(node, list):
        return any(map(compares_to_group, node))
    if not isinstance(node, Mapping):
        return False
    sides = [part for name in ("==", "!=") if name in node for part in node[name].values()]
    return _GROUP in sides or any(map(compares_to_group, node.values()))


_GROUP = {"Value": {"__entity": {"type": "Action", "id": TOOL_CALL}}}
