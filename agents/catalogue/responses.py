"""The Responses API: neutral items there and back."""

from typing import Any

from openai import OpenAI

from agents.catalogue.messages import Item, ModelRequest
from agents.catalogue.wire import from_wire, to_wire

Spoken = tuple[list[dict[str, Any]], tuple[int | None, int | None], str]


def call(api: OpenAI, request: ModelRequest) -> Spoken:
    """One call; the endpoint keeps nothing (`store` is false): the state is ours."""
    answer = api.responses.create(
        model=request.model,
        instructions=request.instructions,
        input=[_sent(item) for item in request.items],  # type: ignore[misc]  # plain JSON of the documented shapes
        tools=[_tool(tool) for tool in request.tools],  # type: ignore[misc]  # plain JSON of the documented shape
        max_output_tokens=request.max_output_tokens,
        store=False,
    )
    items: list[dict[str, Any]] = []
    for item in answer.output:
        if item.type == "message":
            text = "".join(part.text for part in item.content if part.type == "output_text")
            items.append({"type": "message", "role": "assistant", "text": text})
        elif item.type == "function_call":
            name = from_wire(item.name)
            items.append({"type": "call", "call_id": item.call_id, "name": name, "arguments": item.arguments})
    usage = (answer.usage.input_tokens, answer.usage.output_tokens) if answer.usage else (None, None)
    return items, usage, answer.id


def _sent(item: Item) -> dict[str, Any]:
    if item["type"] == "message":
        return {"role": item["role"], "content": item["text"]}
    if item["type"] == "call":
        name = to_wire(item["name"])
        return {"type": "function_call", "call_id": item["call_id"], "name": name, "arguments": item["arguments"]}
    return {"type": "function_call_output", "call_id": item["call_id"], "output": item["output"]}


def _tool(tool: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "name": to_wire(tool["name"]),
        "description": tool["description"],
        "parameters": tool["schema"],
        "strict": False,
    }
