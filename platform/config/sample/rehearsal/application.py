"""The server: plain ASGI, three routes, errors in the shape that the OpenAI API gives them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from config.sample.rehearsal import chat, responses
from config.sample.rehearsal.conversation import BadRequestError, Conversation, from_chat, from_responses
from config.sample.rehearsal.roles import play

MODELS = ("rehearsal-large", "rehearsal-small")
LONGEST_BODY = 16 * 1024 * 1024  # bytes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Rehearsal:
    """The ASGI application. `latency` in seconds passes before each answer, a twentieth of it before each delta."""

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope["method"], scope["path"].rstrip("/"), receive, send)
        except BadRequestError as error:
            await _send_error(send, 400, error.message, param=error.param)

    async def _answer(self, method: str, path: str, receive: Receive, send: Send) -> None:
        routes = {
            "/v1/models": ("GET", self._models),
            "/v1/responses": ("POST", self._responses),
            "/v1/chat/completions": ("POST", self._chat),
        }
        if path not in routes:
            await _send_error(send, 404, f"Unknown request URL: {method} {path}.", code="unknown_url")
        elif routes[path][0] != method:
            await _send_error(
                send, 405, f"Not allowed here: use {routes[path][0]} for {path}.", code="method_not_allowed"
            )
        else:
            await routes[path][1](receive, send)

    async def _models(self, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the shape of every route
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "remit"} for name in MODELS]
        await _send_json(send, 200, {"object": "list", "data": data})

    async def _responses(self, receive: Receive, send: Send) -> None:
        conversation = await _read(receive, send, from_responses)
        if conversation is None:
            return
        answer = play(conversation)
        await asyncio.sleep(self.latency)
        if conversation.stream:
            lines = (_event(name, data) for name, data in responses.events(conversation, answer))
            await self._stream(send, lines)
        else:
            await _send_json(send, 200, responses.body(conversation, answer))

    async def _chat(self, receive: Receive, send: Send) -> None:
        conversation = await _read(receive, send, from_chat)
        if conversation is None:
            return
        answer = play(conversation)
        await asyncio.sleep(self.latency)
        if conversation.stream:
            lines = [_event("", chunk) for chunk in chat.chunks(conversation, answer)]
            await self._stream(send, [*lines, b"data: [DONE]\n\n"])
        else:
            await _send_json(send, 200, chat.body(conversation, answer))

    async def _stream(self, send: Send, lines: Iterable[bytes]) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for line in lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
            await asyncio.sleep(self.latency / 20)
        await send({"type": "http.response.body", "body": b""})


async def _read(
    receive: Receive, send: Send, parse: Callable[[Mapping[str, Any]], Conversation]
) -> Conversation | None:
    """The request, or None after an error has been sent for a model that is not here."""
    raw = await _body(receive)
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadRequestError("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadRequestError("The body must be a JSON object.")
    if body.get("model") not in MODELS:
        message = f"The model {body.get('model')!r} does not exist: use one of {', '.join(MODELS)}."
        await _send_error(send, 404, message, code="model_not_found", param="model")
        return None
    return parse(body)


async def _body(receive: Receive) -> bytes:
    parts, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LONGEST_BODY:
            raise BadRequestError("The body is too long.")
        more = message.get("more_body", False)
    return b"".join(parts)


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


async def _send_error(
    send: Send, status: int, message: str, *, code: str | None = None, param: str | None = None
) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    await _send_json(send, status, {"error": error})


async def _send_json(send: Send, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
