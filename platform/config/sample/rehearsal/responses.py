"""The wire format of the Responses API: the answer as one object, or as the events of a stream."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from config.sample.rehearsal.answer import Answer, identifier, tokens
from config.sample.rehearsal.conversation import Conversation

CHUNK = 24  # characters of a delta

Event = tuple[str, dict[str, Any]]


def body(conversation: Conversation, answer: Answer) -> dict[str, Any]:
    """The whole response."""
    return _envelope(conversation, answer, "incomplete" if answer.cut else "completed", _items(conversation, answer))


def events(conversation: Conversation, answer: Answer) -> Iterator[Event]:
    """Name and data of each event of the stream, numbered."""
    for number, (name, data) in enumerate(_events(conversation, answer)):
        yield name, {"type": name, "sequence_number": number, **data}


def _events(conversation: Conversation, answer: Answer) -> Iterator[Event]:
    begun = _envelope(conversation, answer, "in_progress", [])
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(_items(conversation, answer)):
        yield from _call_events(index, item) if item["type"] == "function_call" else _message_events(index, item)
    end = "response.incomplete" if answer.cut else "response.completed"
    yield end, {"response": body(conversation, answer)}


def _call_events(index: int, item: Mapping[str, Any]) -> Iterator[Event]:
    place = {"item_id": item["id"], "output_index": index}
    begun = {**item, "arguments": "", "status": "in_progress"}
    yield "response.output_item.added", {"output_index": index, "item": begun}
    for delta in _chunks(item["arguments"]):
        yield "response.function_call_arguments.delta", {**place, "delta": delta}
    done = {**place, "name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", done
    yield "response.output_item.done", {"output_index": index, "item": item}


def _message_events(index: int, item: Mapping[str, Any]) -> Iterator[Event]:
    part = item["content"][0]
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    begun = {**item, "content": [], "status": "in_progress"}
    yield "response.output_item.added", {"output_index": index, "item": begun}
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    for delta in _chunks(part["text"]):
        yield "response.output_text.delta", {**place, "delta": delta, "logprobs": []}
    yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**place, "part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _items(conversation: Conversation, answer: Answer) -> list[dict[str, Any]]:
    if answer.wishes:
        return [
            {
                "type": "function_call",
                "id": identifier(conversation, "fc", index),
                "call_id": identifier(conversation, "call", index),
                "name": wish.name,
                "arguments": wish.json,
                "status": "completed",
            }
            for index, wish in enumerate(answer.wishes)
        ]
    return [
        {
            "type": "message",
            "id": identifier(conversation, "msg"),
            "role": "assistant",
            "status": "incomplete" if answer.cut else "completed",
            "content": [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}],
        }
    ]


def _envelope(conversation: Conversation, answer: Answer, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": identifier(conversation, "resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": conversation.instructions or None,
        "max_output_tokens": conversation.max_output_tokens,
        "model": conversation.model,
        "output": output,
        "parallel_tool_calls": conversation.parallel,
        "previous_response_id": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "truncation": "disabled",
        "metadata": {},
        "usage": None if status == "in_progress" else _usage(conversation, answer),
    }


def _usage(conversation: Conversation, answer: Answer) -> dict[str, Any]:
    read, written = tokens(conversation.read), answer.tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


def _chunks(text: str) -> Iterator[str]:
    return (text[start : start + CHUNK] for start in range(0, len(text), CHUNK))
