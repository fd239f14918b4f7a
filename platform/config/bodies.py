"""Request bodies are read whole before Django sees them: a slow sender holds no thread, a large one no memory."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PATIENCE = 60.0  # seconds for the whole body
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


class TooLargeError(Exception):
    """The body exceeds the limit."""


class WholeBodies:
    """Hands `application` each request with its whole body, and a Content-Length even where it came in chunks."""

    def __init__(self, application: Application, limit: Callable[[], int]) -> None:
        self._application = application
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            body = await asyncio.wait_for(self._read(scope, receive), PATIENCE)
        except TooLargeError:
            await _refuse(send, 413, "Content Too Large", f"A body may hold {self._limit()} bytes: send less.")
            return
        except TimeoutError:
            await _refuse(send, 408, "Request Timeout", f"The body did not arrive within {PATIENCE:.0f} seconds.")
            return
        if body is None:
            return
        await self._application(_with_length(scope, len(body)), _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None if the caller has gone. Raises TooLargeError."""
        limit = self._limit()
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > limit:
            raise TooLargeError
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > limit:
                raise TooLargeError
            if not message.get("more_body", False):
                return bytes(body)


def _with_length(scope: Scope, length: int) -> Scope:
    # WSGI knows no chunks: without a length Django would see an empty body.
    headers = [
        (name, value) for name, value in scope["headers"] if name not in {b"content-length", b"transfer-encoding"}
    ]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _refuse(send: Send, status: int, title: str, detail: str) -> None:
    name = {413: "too-large", 408: "too-slow"}[status]
    said = {"type": f"urn:remit:problem:{name}", "title": title, "status": status, "detail": detail, "request_id": ""}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})
