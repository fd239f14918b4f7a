"""The wire format of the Chat Completions API: the answer as one object, or as the chunks of a stream."""

import time
from collections.abc import Iterator
from typing import Any

from config.sample.rehearsal.answer import Answer, identifier, tokens
from config.sample.rehearsal.conversation import Conversation

CHUNK = 24  # characters of a delta


def body(conversation: Conversation, answer: Answer) -> dict[str, Any]:
    """The whole completion."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.wishes:
        message["tool_calls"] = _calls(conversation, answer)
    choice = {"index": 0, "message": message, "finish_reason": _reason(answer), "logprobs": None}
    return _envelope(conversation, "chat.completion", [choice]) | {"usage": _usage(conversation, answer)}


def chunks(conversation: Conversation, answer: Answer) -> Iterator[dict[str, Any]]:
    """The data of each event of the stream, without the closing [DONE]."""
    for delta in _deltas(conversation, answer):
        yield _chunk(conversation, delta, None)
    yield _chunk(conversation, {}, _reason(answer))
    if conversation.include_usage:
        yield _envelope(conversation, "chat.completion.chunk", []) | {"usage": _usage(conversation, answer)}


def _deltas(conversation: Conversation, answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if answer.wishes else ""}
    for index, call in enumerate(_calls(conversation, answer)):
        arguments = call["function"]["arguments"]
        begun = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [begun]}
        for delta in _pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": delta}}]}
    for delta in _pieces(answer.text):
        yield {"content": delta}


def _chunk(conversation: Conversation, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    return _envelope(conversation, "chat.completion.chunk", [choice])


def _calls(conversation: Conversation, answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": identifier(conversation, "call", index),
            "type": "function",
            "function": {"name": wish.name, "arguments": wish.json},
        }
        for index, wish in enumerate(answer.wishes)
    ]


def _reason(answer: Answer) -> str:
    if answer.cut:
        return "length"
    return "tool_calls" if answer.wishes else "stop"


def _envelope(conversation: Conversation, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": identifier(conversation, "chatcmpl"),
        "object": kind,
        "created": int(time.time()),
        "model": conversation.model,
        "choices": choices,
    }


def _usage(conversation: Conversation, answer: Answer) -> dict[str, Any]:
    read, written = tokens(conversation.read), answer.tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + CHUNK] for start in range(0, len(text), CHUNK))
