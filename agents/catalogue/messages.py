"""What is said to a model and what it answers, independent of the API.

Items are neutral, so that a journal does not depend on the API it was made with:
`{"type": "message", "role", "text"}`, `{"type": "call", "call_id", "name", "arguments"}` (arguments as JSON text) and
`{"type": "result", "call_id", "output"}` (text).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to call: the provider's plain values and its unsealed key."""

    base_url: str
    api: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call. `tools` are `{"name", "description", "schema"}`; names may hold dots. `timeout` in seconds."""

    model: str
    instructions: str
    items: Sequence[Item]
    tools: Sequence[Mapping[str, Any]]
    max_output_tokens: int
    timeout: float

    @property
    def most_input_tokens(self) -> int:
        """An upper bound: every token of a byte-level vocabulary is at least one byte long."""
        body = json.dumps([self.instructions, *self.items, *self.tools], ensure_ascii=False)
        return len(body.encode()) + 64 * (len(self.items) + len(self.tools) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """What a model said: neutral items, and the tokens that the endpoint counted (None: it did not say)."""

    items: tuple[Item, ...]
    input_tokens: int | None
    output_tokens: int | None
    response_id: str = ""

    @property
    def text(self) -> str:
        """All that it said in words."""
        return "\n".join(item["text"] for item in self.items if item["type"] == "message")

    @property
    def calls(self) -> list[Item]:
        """The tool calls that it asks for."""
        return [item for item in self.items if item["type"] == "call"]
