"""The port of a connector kind: how Remit calls a tool. Implementations are named in `settings.CONNECTOR_KINDS`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from agents.labels import Integrity, Label


class ToolEffect(StrEnum):
    """What calling a tool does to the world, and so what may be done when its outcome is unknown."""

    READ = "read"  # changes nothing: may be repeated
    IDEMPOTENT = "idempotent"  # changes something once per idempotency key: may be repeated with the same key
    EFFECT = "effect"  # changes something each time: never repeated by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """One operation that a connector offers; `schema` is a JSON Schema (2020-12) of an object of arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]
    effect: ToolEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """One call. `settings` are the connector's plain values, `secret` its unsealed credential, `timeout` in seconds.

    The tool receives `idempotency_key`; an idempotent tool does its work once for each key. `headers` go along with a
    call over HTTP: they hold the run token, where the connector wants one.
    """

    operation: str
    arguments: Mapping[str, Any]
    idempotency_key: str
    settings: Mapping[str, Any]
    secret: str | None
    organisation: UUID
    run: UUID
    timeout: float = 30.0
    headers: Mapping[str, str] = field(default_factory=dict)


UNSAID = Label(Integrity.UNTRUSTED)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool answered: JSON values, and what is known of their origin. The content is hostile text.

    A connector that says nothing of the origin gets no trust for it.
    """

    content: Any
    label: Label = UNSAID


class ToolRefusedError(Exception):
    """The tool answered that it did not do it: nothing happened, and the agent may be told why."""


class ToolUncertainError(Exception):
    """Nobody knows whether it happened: the connection broke after the call may have left."""


class ConnectorKind(Protocol):
    """A way to reach tools: a database, a folder of documents, a server."""

    def definitions(self, settings: Mapping[str, Any]) -> Sequence[ToolDefinition]:
        """The operations on offer."""

    def call(self, request: ToolRequest) -> ToolOutput:
        """Do one; raises ToolRefusedError or ToolUncertainError."""
