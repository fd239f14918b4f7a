"""Chat Completions, for endpoints that lack the Responses API: neutral items there and back."""

from typing import Any

from openai import OpenAI, omit

from agents.catalogue.messages import ModelRequest
from agents.catalogue.responses import Spoken
from agents.catalogue.wire import from_wire, to_wire


def call(api: OpenAI, request: ModelRequest) -> Spoken:
    """One call."""
    tools = [_tool(tool) for tool in request.tools]
    answer = api.chat.completions.create(
        model=request.model,
        messages=_messages(request),  # type: ignore[arg-type]  # plain JSON of the documented shapes
        tools=tools or omit,  # type: ignore[arg-type]  # plain JSON of the documented shape
        max_tokens=request.max_output_tokens,
    )
    items: list[dict[str, Any]] = []
    message = answer.choices[0].message
    if message.content:
        items.append({"type": "message", "role": "assistant", "text": message.content})
    for made in message.tool_calls or []:
        if made.type == "function":
            name, arguments = from_wire(made.function.name), made.function.arguments
            items.append({"type": "call", "call_id": made.id, "name": name, "arguments": arguments})
    usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens) if answer.usage else (None, None)
    return items, usage, answer.id


def _messages(request: ModelRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": request.instructions}]
    for item in request.items:
        if item["type"] == "message":
            messages.append({"role": item["role"], "content": item["text"]})
        elif item["type"] == "result":
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]})
        else:
            _calls_of_last(messages).append(
                {
                    "id": item["call_id"],
                    "type": "function",
                    "function": {"name": to_wire(item["name"]), "arguments": item["arguments"]},
                }
            )
    return messages


def _calls_of_last(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # All calls of one answer belong to one assistant message.
    if messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    calls: list[dict[str, Any]] = messages[-1].setdefault("tool_calls", [])
    return calls


def _tool(tool: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": to_wire(tool["name"]),
            "description": tool["description"],
            "parameters": tool["schema"],
        },
    }
