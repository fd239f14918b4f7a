"""A request of either API, read into one shape."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

NOT_DONE = frozenset({"refused", "failed"})
TEXT_TYPES = ("input_text", "output_text", "text")


class BadRequestError(Exception):
    """What is wrong with a request, and which parameter it is."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param = message, param


@dataclass(frozen=True, slots=True)
class Call:
    """A function call that the model made earlier. `output` is None as long as nobody has answered it."""

    identifier: str
    name: str
    arguments: Mapping[str, Any]
    output: Any = None

    @property
    def refused(self) -> bool:
        """Whether the answer says that it was not done: the gate refused it, or the tool failed."""
        return isinstance(self.output, Mapping) and not NOT_DONE.isdisjoint(self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the model is given: its instructions, the last input of its user, and its calls since then.

    `read` is the number of bytes of all that, from which tokens are counted.
    """

    model: str
    instructions: str
    text: str
    calls: tuple[Call, ...]
    tools: frozenset[str]
    parallel: bool
    max_output_tokens: int | None
    stream: bool
    include_usage: bool
    read: int
    digest: str

    def call(self, name: str) -> Call | None:
        """The first call of a tool in this turn."""
        return next((call for call in self.calls if call.name == name), None)

    def offers(self, name: str) -> bool:
        """Whether the tool may be called."""
        return name in self.tools


def from_responses(body: Mapping[str, Any]) -> Conversation:
    """Read the body of POST /v1/responses. Raises BadRequestError."""
    for name in ("previous_response_id", "conversation"):
        if body.get(name):
            raise BadRequestError(f"This server keeps no state: send the whole input instead of {name}.", name)
    items = body.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if not isinstance(items, list) or not items:
        raise BadRequestError("input must be a text or a list of items.", "input")
    instructions, text, calls = [body.get("instructions") or ""], "", list[Call]()
    for item in items:
        kind = _mapping(item, "input").get("type") or "message"
        if kind == "function_call":
            calls.append(Call(str(item.get("call_id")), str(item.get("name")), _arguments(item.get("arguments"))))
        elif kind == "function_call_output":
            calls = _answered(calls, str(item.get("call_id")), item.get("output"), "input")
        elif kind == "message" and item.get("role") in {"system", "developer"}:
            instructions.append(_text(item.get("content")))
        elif kind == "message" and item.get("role") == "user":
            text, calls = _text(item.get("content")), []
    tools = [tool.get("name") for tool in _tools(body) if tool.get("type") == "function"]
    return _conversation(
        body,
        instructions=instructions,
        text=text,
        calls=calls,
        tools=tools,
        seen=[items, instructions],
        limit="max_output_tokens",
    )


def from_chat(body: Mapping[str, Any]) -> Conversation:
    """Read the body of POST /v1/chat/completions. Raises BadRequestError."""
    if body.get("n") not in {None, 1}:
        raise BadRequestError("This server gives one choice: leave n at 1.", "n")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages must be a list with at least one message.", "messages")
    instructions, text, calls = list[str](), "", list[Call]()
    for message in messages:
        role = _mapping(message, "messages").get("role")
        if role in {"system", "developer"}:
            instructions.append(_text(message.get("content")))
        elif role == "user":
            text, calls = _text(message.get("content")), []
        elif role == "assistant":
            for call in message.get("tool_calls") or []:
                function = _mapping(_mapping(call, "messages").get("function"), "messages")
                arguments = _arguments(function.get("arguments"))
                calls.append(Call(str(call.get("id")), str(function.get("name")), arguments))
        elif role == "tool":
            calls = _answered(calls, str(message.get("tool_call_id")), message.get("content"), "messages")
        else:
            raise BadRequestError(f"There is no role {role!r}.", "messages")
    tools = [_mapping(tool.get("function"), "tools").get("name") for tool in _tools(body)]
    limit = "max_completion_tokens" if body.get("max_completion_tokens") else "max_tokens"
    return _conversation(
        body, instructions=instructions, text=text, calls=calls, tools=tools, seen=[messages], limit=limit
    )


def _conversation(
    body: Mapping[str, Any],
    *,
    instructions: Sequence[str],
    text: str,
    calls: Sequence[Call],
    tools: Sequence[Any],
    seen: Any,
    limit: str,
) -> Conversation:
    maximum = body.get(limit)
    if maximum is not None and (not isinstance(maximum, int) or isinstance(maximum, bool) or maximum < 1):
        raise BadRequestError(f"{limit} must be a positive whole number.", limit)
    raw = json.dumps([seen, body.get("tools") or []], ensure_ascii=False, sort_keys=True).encode(errors="replace")
    offered = [] if body.get("tool_choice") == "none" else [str(tool) for tool in tools if tool]
    return Conversation(
        model=str(body.get("model") or ""),
        instructions="\n".join(part for part in instructions if part),
        text=text,
        calls=tuple(calls),
        tools=frozenset(offered),
        parallel=body.get("parallel_tool_calls") is not False,
        max_output_tokens=maximum,
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        read=len(raw),
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _tools(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequestError("tools must be a list.", "tools")
    return [_mapping(tool, "tools") for tool in tools]


def _mapping(value: Any, param: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadRequestError(f"{param} holds something that is not an object.", param)
    return value


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        str(part.get("text", "")) for part in parts if isinstance(part, Mapping) and part.get("type") in TEXT_TYPES
    )


def _arguments(value: Any) -> Mapping[str, Any]:
    parsed = _json(value)
    return parsed if isinstance(parsed, Mapping) else {}


def _answered(calls: Sequence[Call], identifier: str, output: Any, param: str) -> list[Call]:
    if all(call.identifier != identifier for call in calls):
        raise BadRequestError(f"No function call has the id {identifier!r}.", param)
    answer = _json(output if isinstance(output, str) else _text(output))
    return [replace(call, output=answer) if call.identifier == identifier else call for call in calls]


def _json(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value
