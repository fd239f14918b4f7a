"""The Cedar schema of an organisation: what its policies may speak of, made from its tools, models and agents.

Every tool has an action of its own in the group `Action::"tool_call"`, so that its arguments have types.
The other actions are `model_call`, `delegation` and `run_start`. See docs/policies.md.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cedarpy

from governance.policies.shapes import Record, arguments_of, cedar_type, properties

TOOL_CALL = "tool_call"
RESOURCES = {"model_call": "Model", "delegation": "Agent", "run_start": "Agent"}
HISTORY = ("calls", "spent", "target_calls")
TIME = ("hour", "weekday", "epoch")

_STRING = {"type": "String"}
_LONG = {"type": "Long"}
_BOOL = {"type": "Boolean"}


@dataclass(frozen=True, slots=True)
class PolicyTool:
    """A tool as policies see it: `name` is `connector.operation`, `schema` the JSON Schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arguments:
    """A tool's arguments: the typed ones, and the names of all declared ones."""

    shape: Record
    names: frozenset[str]


@dataclass(frozen=True, eq=False)
class PolicySchema:
    """What policies may speak of. `document` is Cedar's JSON format; `known` the ids of each listed entity type."""

    document: Mapping[str, Any]
    tools: Mapping[str, Arguments]
    known: Mapping[str, frozenset[str]]

    @cached_property
    def handle(self) -> cedarpy.Schema:
        """The parsed schema."""
        return cedarpy.Schema.from_json_str(json.dumps(self.document))


def connector_of(tool: str) -> str:
    """The connector in a tool's name: `payments` of `payments.refund`."""
    return tool.partition(".")[0]


def build_schema(
    tools: Iterable[PolicyTool],
    models: Iterable[str],
    agents: Iterable[str],
    teams: Iterable[str] | None = None,
) -> PolicySchema:
    """An organisation's schema: models by name, agents and teams by slug (None leaves teams' names unchecked).

    Raises ValueError if a tool bears the name of a kind of act.
    """
    arguments = {tool.name: _arguments(tool) for tool in tools}
    if taken := arguments.keys() & {TOOL_CALL, *RESOURCES}:
        message = f"A tool cannot be called {taken.pop()}: that is the name of a kind of action."
        raise ValueError(message)
    known = {
        "Tool": frozenset(arguments),
        "Connector": frozenset(map(connector_of, arguments)),
        "Model": frozenset(models),
        "Agent": frozenset(agents),
    }
    if teams is not None:
        known["Team"] = frozenset(teams)
    return PolicySchema(_document(arguments), arguments, known)


def _arguments(tool: PolicyTool) -> Arguments:
    return Arguments(arguments_of(tool.schema), frozenset(properties(tool.schema)))


def _document(arguments: Mapping[str, Arguments]) -> dict[str, Any]:
    tools = {name: _action("Tool", declared, group=TOOL_CALL) for name, declared in arguments.items()}
    others = {name: _action(resource, Arguments(Record(), frozenset())) for name, resource in RESOURCES.items()}
    return {"": {"entityTypes": _ENTITIES, "actions": {TOOL_CALL: {}} | others | tools}}


def _action(resource: str, arguments: Arguments, group: str | None = None) -> dict[str, Any]:
    return {
        "memberOf": [{"id": group}] if group else [],
        "appliesTo": {"principalTypes": ["Agent"], "resourceTypes": [resource], "context": _context(arguments)},
    }


def _context(arguments: Arguments) -> dict[str, Any]:
    sure = {name for name, member in arguments.shape.members.items() if member.required}
    provenance = {name: _ORIGIN | {"required": name in sure} for name in sorted(arguments.names)}
    return _record(
        args=cedar_type(arguments.shape),
        args_json=_STRING,
        provenance={"type": "Record", "attributes": provenance},
        label=_ORIGIN,
        approved=_BOOL,
        history=_record(**dict.fromkeys(HISTORY, _LONG)),
        time=_record(**dict.fromkeys(TIME, _LONG)),
        environment=_record(rehearsed=_BOOL),
        estimate=_LONG,
        currency=_STRING,
    )


def _record(**attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "Record", "attributes": attributes}


def _entity(*parents: str, **attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"memberOfTypes": list(parents), "shape": _record(**attributes)}


def _reference(entity_type: str) -> dict[str, Any]:
    return {"type": "Entity", "name": entity_type, "required": False}


_ORIGIN = _record(integrity=_STRING, confidentiality=_STRING, sources={"type": "Set", "element": {"type": "String"}})
_ENTITIES = {
    "Agent": _entity("Team", team=_reference("Team"), sponsor=_reference("Person"), version=_STRING),
    "Team": _entity("Team"),
    "Person": _entity("Team"),
    "Service": _entity("Team"),
    "Connector": _entity(),
    "Tool": _entity("Connector", effect=_STRING),
    "Model": _entity(),
}
