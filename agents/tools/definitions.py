"""What a connector offers, read and checked: its answer is a stranger's, whatever it says."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
from django.conf import settings
from django.utils.module_loading import import_string

from agents.tools.port import ConnectorKind, ToolDefinition
from foundation.digests import digest_of
from foundation.errors import InvalidError
from foundation.inputs import checked_json, checked_text

MOST_TOOLS = 500
LARGEST_SCHEMA = 65_536  # bytes
LONGEST_DESCRIPTION = 4_000

_OPERATION = re.compile(r"[A-Za-z0-9_-]{1,80}")


def connector_kind(name: str) -> ConnectorKind:
    """The implementation that settings name. Raises InvalidError."""
    path = settings.CONNECTOR_KINDS.get(name)
    if path is None:
        raise InvalidError(f"There is no kind {name!r}: use {', '.join(sorted(settings.CONNECTOR_KINDS))}.", "kind")
    kind: ConnectorKind = import_string(path)()
    return kind


def read_definitions(kind: str, values: Mapping[str, Any]) -> list[ToolDefinition]:
    """The operations that a connector with these settings offers. Raises InvalidError."""
    try:
        found = connector_kind(kind).definitions(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidError(
            f"These settings do not fit a {kind} connector ({error!r}): change them.", "settings"
        ) from error
    return _checked(found)


def definition_hash(definition: ToolDefinition) -> str:
    """What a person accepted: another description, schema or effect has another hash."""
    return digest_of(
        {
            "description": definition.description,
            "schema": dict(definition.schema),
            "effect": definition.effect.value,
        },
        "settings",
    )


def _checked(found: Sequence[ToolDefinition]) -> list[ToolDefinition]:
    if not 1 <= len(found) <= MOST_TOOLS:
        raise InvalidError(f"The connector offers {len(found)} tools: 1 to {MOST_TOOLS} are possible.", "settings")
    names = [definition.name for definition in found]
    for name in names:
        if not isinstance(name, str) or not _OPERATION.fullmatch(name):
            raise InvalidError(f"The tool name {name!r} does not work: use letters, digits, _ and -.", "settings")
    if len({name.casefold() for name in names}) != len(names):
        raise InvalidError("Two tools of the connector have the same name.", "settings")
    for definition in found:
        _check(definition)
    return list(found)


def _check(definition: ToolDefinition) -> None:
    if not isinstance(definition.description, str):
        raise InvalidError(f"The tool {definition.name} lacks a description in words.", "settings")
    checked_text(definition.description, LONGEST_DESCRIPTION, f"description of {definition.name}")
    schema = checked_json(definition.schema, LARGEST_SCHEMA, f"schema of {definition.name}")
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        raise InvalidError(
            f'The schema of {definition.name} is not of an object: it needs "type": "object".', "settings"
        )
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise InvalidError(
            f"The schema of {definition.name} is no JSON Schema: {error.message[:200]}", "settings"
        ) from error
