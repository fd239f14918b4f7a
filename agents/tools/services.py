"""Verbs on credentials, connectors and tools."""

import re
from typing import Any

from django.db import transaction

from agents.tools.builtins import BUILTIN_CONNECTOR
from agents.tools.definitions import connector_kind, definition_hash, read_definitions
from agents.tools.models import Connector, Credential, TokenHeader, Tool, ToolState
from agents.tools.port import ToolDefinition
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.delegation.tokens import REMIT
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7
from foundation.inputs import checked_json, checked_optional, checked_slug, checked_text, organisation_of, refuse_agent
from foundation.secrets.sealing import seal

LARGEST_SETTINGS = 1_000_000  # bytes
LONGEST_SECRET = 16_384
_AUDIENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")


@transaction.atomic
def add_credential(*, actor: Actor, name: str, secret: str) -> Credential:
    """A sealed secret that a connector uses; never shown again."""
    refuse_agent(actor)
    name = checked_text(name, 120)
    if not secret or len(secret) > LONGEST_SECRET:
        raise InvalidError(f"The secret is empty or longer than {LONGEST_SECRET} characters.", "secret")
    if Credential.objects.filter(organisation_id=organisation_of(actor), name=name).exists():
        raise ConflictError(f"There is a credential {name} already: choose another name.")
    identifier = uuid7()
    credential = Credential.objects.create(
        id=identifier,
        organisation_id=organisation_of(actor),
        name=name,
        sealed=seal(secret, context=f"credential:{identifier}"),
    )
    record(entry(actor, "credential.add", target_kind="credential", target_id=identifier, target_name=name))
    return credential


@transaction.atomic
def replace_secret(*, actor: Actor, credential: Credential, secret: str) -> Credential:
    """Another secret in the place of a credential's former one; connectors use it from their next call on."""
    refuse_agent(actor)
    if not secret or len(secret) > LONGEST_SECRET:
        raise InvalidError(f"The secret is empty or longer than {LONGEST_SECRET} characters.", "secret")
    found = Credential.objects.select_for_update().get(pk=credential.pk)
    found.sealed = seal(secret, context=f"credential:{found.id}")
    found.save(update_fields=["sealed"])
    record(entry(actor, "credential.replace", target_kind="credential", target_id=found.id, target_name=found.name))
    return found


@transaction.atomic
def add_connector(
    *, actor: Actor, slug: str, name: str, kind: str, settings: dict[str, Any], credential: Credential | None = None
) -> Connector:
    """A source of tools, and its tools as it offers them now: whoever adds it accepts them."""
    refuse_agent(actor)
    slug, name = checked_slug(slug), checked_text(name, 120)
    if slug == BUILTIN_CONNECTOR:
        raise InvalidError(f"The tools of {slug} are Remit's own: choose another short name.", "slug")
    connector_kind(kind)
    settings = checked_json(settings, LARGEST_SETTINGS, "settings")
    if not isinstance(settings, dict):
        raise InvalidError("The settings are not a JSON object: write {…}.", "settings")
    if credential is not None and credential.organisation_id != organisation_of(actor):
        raise InvalidError("The credential belongs to another organisation.", "credential")
    if Connector.objects.filter(organisation_id=organisation_of(actor), slug=slug).exists():
        raise ConflictError(f"There is a connector {slug} already: choose another short name.")
    offered = read_definitions(kind, settings)
    connector = Connector.objects.create(
        organisation_id=organisation_of(actor),
        slug=slug,
        name=name,
        kind=kind,
        settings=settings,
        credential=credential,
    )
    tools = [_add(connector, definition, ToolState.ACTIVE) for definition in offered]
    details = {"kind": kind, "slug": slug, "credential": credential.name if credential else None}
    record(
        entry(
            actor, "connector.add", target_kind="connector", target_id=connector.id, target_name=name, details=details
        ),
        *(_about(actor, "tool.add", tool) for tool in tools),
    )
    return connector


@transaction.atomic
def identify_calls(
    *, actor: Actor, connector: Connector, token_header: str, audience: str = "", on_behalf_of: bool = False
) -> Connector:
    """Say how a connector is told who calls: where its run token goes (empty: none), for which audience (empty: its
    short name); and whether it is called in the name of a person only."""
    refuse_agent(actor)
    if token_header not in TokenHeader.values:
        known = ", ".join(value for value in TokenHeader.values if value)
        raise InvalidError(f"A run token goes into one of {known}; or leave it empty.", "token_header")
    audience = checked_optional(audience, 120, "audience")
    if audience and not _AUDIENCE.fullmatch(audience):
        raise InvalidError("The audience may hold letters, digits and . _ : / -, without blanks.", "audience")
    if audience == REMIT:
        raise InvalidError(f"Tokens for the audience {REMIT} are for Remit itself: choose another one.", "audience")
    found = Connector.objects.select_for_update().get(pk=connector.pk)
    found.token_header, found.audience, found.on_behalf_of = token_header, audience, on_behalf_of
    found.save(update_fields=["token_header", "audience", "on_behalf_of"])
    details = {"token_header": token_header, "audience": found.called, "on_behalf_of": on_behalf_of}
    told = entry(actor, "connector.identify", target_kind="connector", target_id=found.id, target_name=found.name,
                 details=details)  # fmt: skip
    record(told)
    return found


@transaction.atomic
def refresh_tools(*, actor: Actor, connector: Connector) -> list[Tool]:
    """Read what the connector offers now.

    What is new or changed is in review, and not callable until a person accepts it; what is gone is disabled.
    """
    refuse_agent(actor)
    connector = Connector.objects.select_for_update().get(pk=connector.pk)
    offered = {definition.name: definition for definition in read_definitions(connector.kind, connector.settings)}
    known = {tool.operation: tool for tool in Tool.objects.select_for_update().filter(connector=connector)}
    entries: list[Entry] = []
    for operation, definition in offered.items():
        tool = known.get(operation)
        if tool is None:
            entries.append(_about(actor, "tool.add", _add(connector, definition, ToolState.IN_REVIEW)))
        elif tool.definition_hash != definition_hash(definition):
            entries.append(_change(actor, tool, definition))
    for operation, tool in known.items():
        if operation not in offered and tool.state != ToolState.DISABLED:
            entries.append(_set_state(actor, tool, ToolState.DISABLED, "tool.vanish"))
    refreshed = entry(
        actor,
        "connector.refresh",
        target_kind="connector",
        target_id=connector.id,
        target_name=connector.name,
        details={"offered": len(offered), "changed": len(entries)},
    )
    record(refreshed, *entries)
    return list(Tool.objects.filter(connector=connector).order_by("name"))


@transaction.atomic
def accept_tool(*, actor: Actor, tool: Tool) -> Tool:
    """Make a tool callable as it was read into `tool`. Raises ConflictError if it has changed since."""
    refuse_agent(actor)
    seen = tool.definition_hash
    tool = Tool.objects.select_for_update().get(pk=tool.pk)
    if tool.definition_hash != seen:
        raise ConflictError(f"The definition of {tool.name} has changed once more: read it again.")
    if tool.state == ToolState.ACTIVE:
        raise ConflictError(f"{tool.name} is active already.")
    if tool.operation not in {one.name for one in read_definitions(tool.connector.kind, tool.connector.settings)}:
        raise ConflictError(f"The connector no longer offers {tool.name}: change its settings first.")
    record(_set_state(actor, tool, ToolState.ACTIVE, "tool.accept"))
    return tool


@transaction.atomic
def disable_tool(*, actor: Actor, tool: Tool) -> Tool:
    """From now on nobody can call it."""
    refuse_agent(actor)
    tool = Tool.objects.select_for_update().get(pk=tool.pk)
    if tool.state == ToolState.DISABLED:
        raise ConflictError(f"{tool.name} is disabled already.")
    record(_set_state(actor, tool, ToolState.DISABLED, "tool.disable"))
    return tool


def _add(connector: Connector, definition: ToolDefinition, state: ToolState) -> Tool:
    return Tool.objects.create(
        organisation_id=connector.organisation_id,
        connector=connector,
        operation=definition.name,
        name=f"{connector.slug}.{definition.name}",
        description=definition.description,
        schema=dict(definition.schema),
        effect=definition.effect.value,
        definition_hash=definition_hash(definition),
        state=state,
    )


def _change(actor: Actor, tool: Tool, definition: ToolDefinition) -> Entry:
    former = tool.definition_hash
    tool.description, tool.schema = definition.description, dict(definition.schema)
    tool.effect, tool.definition_hash = definition.effect.value, definition_hash(definition)
    # A tool that a person disabled stays so.
    tool.state = ToolState.DISABLED if tool.state == ToolState.DISABLED else ToolState.IN_REVIEW
    tool.save()
    return _about(actor, "tool.change", tool, former=former)


def _set_state(actor: Actor, tool: Tool, state: ToolState, action: str) -> Entry:
    former, tool.state = tool.state, state
    tool.save(update_fields=["state"])
    return _about(actor, action, tool, former_state=former)


def _about(actor: Actor, action: str, tool: Tool, **more: Any) -> Entry:
    details = {"definition_hash": tool.definition_hash, "effect": tool.effect, "state": tool.state} | more
    return entry(actor, action, target_kind="tool", target_id=tool.id, target_name=tool.name, details=details)
