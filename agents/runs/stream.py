"""The event stream of a run: `GET /api/v1/runs/<id>/events/stream`, server-sent events, plain ASGI.

History first, from the event after `Last-Event-ID` (or `?after=`), then live until the run's end. Whether the caller
may see the run is not decided here: the stream asks the REST endpoint of the run with the caller's own headers, so
there is one guard, and asks again every minute, so that a grant that runs out ends an open stream; at once when the
database tells of anything in the organisation that may have taken access away: a key, a principal, a session, a
password, a grant, a seat in a group, a role, a team's place, an identity provider.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from psycopg_pool import PoolTimeout

from agents.runs.feed import BATCH, Feed, Line

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ADDRESS = re.compile(r"^/api/v1/runs/([^/]+)/events/stream$")
POLL = 5.0  # seconds
COMMENT = 15.0
ASK_AGAIN = 60.0
MOST_STREAMS = 2_000
PRINCIPAL = b"remit-principal"
_DIGITS = 10  # of a number that is beyond the end of every run

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"content-encoding", b"identity"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
TOO_MANY = "You have as many event streams open here as one may have: close one first."
# Written out: the models are Django's, and this module needs nothing of it.
ENDS = frozenset({"run.succeeded", "run.failed", "run.cancelled", "run.expired"})

log = structlog.get_logger(__name__)


@dataclass
class Answer:
    """What the REST endpoint said."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def collect(self, message: Message) -> None:
        """A `send` that keeps."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    async def relay(self, send: Send) -> None:
        """Say the same to the caller."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})

    @property
    def run(self) -> dict[str, Any] | None:
        """The run as the endpoint shows it; None for any refusal."""
        return json.loads(self.body) if self.start.get("status") == HTTPStatus.OK else None

    @property
    def principal(self) -> bytes:
        """Whom the endpoint took the caller for."""
        found: bytes = dict(self.start["headers"]).get(PRINCIPAL, b"")
        return found


class Opened(NamedTuple):
    """A stream at its beginning: its run, the last event that the caller has, the notices before it was let in."""

    run: dict[str, Any]
    after: int
    notices: int


class EventStream:
    """The ASGI application. `endpoints` is the one that serves the REST API."""

    def __init__(self, endpoints: Application) -> None:
        self._endpoints = endpoints
        self.feed = Feed()
        self._open: Counter[bytes] = Counter()  # streams by principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, or refuse as the REST endpoint refuses."""
        notices = self.feed.notices
        answer = await self._ask(scope)
        run = answer.run
        if run is None:
            await answer.relay(send)
            return
        # Nobody has events that are not there: such a number is another run's, and would hide those to come.
        after = min(_after(scope), run["events_written"])
        if run["ended_at"] and run["events_written"] <= after:
            # To a browser an end is a lost connection: only 204 tells it not to come back (HTML, section 9.2.3).
            await _answer(send, HTTPStatus.NO_CONTENT)
        elif self.feed.listeners >= MOST_STREAMS:
            await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE)
        elif self._open[answer.principal] >= settings.RUN_STREAMS:
            await _answer(send, HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY)
        else:
            self._open[answer.principal] += 1
            try:
                await self._stream(scope, receive, send, Opened(run, after, notices))
            finally:
                self._open -= Counter([answer.principal])  # whoever has none left is forgotten

    async def _stream(self, scope: Scope, receive: Receive, send: Send, opened: Opened) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        talk = asyncio.create_task(self._talk(scope, send, opened))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (talk, gone):
                task.cancel()
            # Also when this task itself is cancelled: nothing may go on sending.
            ended = await asyncio.gather(talk, gone, return_exceptions=True)
        if isinstance(ended[0], (psycopg.Error, PoolTimeout, OSError)):
            log.warning("an event stream broke off", run=opened.run["id"], error=type(ended[0]).__name__)
        elif isinstance(ended[0], Exception):
            raise ended[0]
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b""})

    async def _talk(self, scope: Scope, send: Send, opened: Opened) -> None:
        run, after, notices = opened
        ended = run["ended_at"] is not None
        organisation, identifier = UUID(run["organisation"]), UUID(run["id"])
        await _write(send, b"retry: 2000\n\n")
        asked = said = time.monotonic()
        with self.feed.subscribe(identifier, organisation) as bell:
            seen = self.feed.changes(organisation)
            if self.feed.notices != notices:  # of a change between the answer and now
                asked = -ASK_AGAIN
            while True:
                bell.clear()
                if self.feed.changes(organisation) != seen:
                    seen, asked = self.feed.changes(organisation), -ASK_AGAIN
                if time.monotonic() - asked >= ASK_AGAIN:
                    if (await self._ask(scope)).run is None:
                        return
                    asked = time.monotonic()
                lines = await self.feed.events(organisation, identifier, after)
                now = time.monotonic()
                if lines:
                    await _write(send, b"".join(map(_frame, lines)))
                    after, said = lines[-1].number, now
                    # A word on a step in doubt may come after the end.
                    ended = ended or any(line.kind in ENDS for line in lines)
                elif now - said >= COMMENT:
                    await _write(send, b": still here\n\n")
                    said = now
                if len(lines) < BATCH:
                    if ended:
                        return
                    with suppress(TimeoutError):
                        await asyncio.wait_for(bell.wait(), POLL)

    async def _ask(self, scope: Scope) -> Answer:
        """The run, as the REST endpoint shows it to this caller."""
        path = scope["path"].removesuffix("/events/stream")
        kept = [(name, value) for name, value in scope["headers"] if name not in _NOT_PASSED_ON]
        inner = {
            **scope,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [*kept, (b"accept", b"application/json")],
        }
        answer = Answer()
        await self._endpoints(inner, _nothing, answer.collect)
        return answer


_NOT_PASSED_ON = frozenset({b"accept", b"accept-encoding", b"content-length", b"content-type", b"transfer-encoding"})


def _after(scope: Scope) -> int:
    """The number of the last event that the caller has."""
    headers = dict(scope["headers"])
    given = headers.get(b"last-event-id", b"").decode("latin-1")
    given = given or parse_qs(scope["query_string"].decode("latin-1")).get("after", ["0"])[0]
    return int(given[:_DIGITS]) if given.isascii() and given.isdigit() else 0


def _frame(line: Line) -> bytes:
    # The JSON of Postgres' json_build_object holds no line break: one data line is enough.
    return f"id: {line.number}\nevent: {line.kind}\ndata: {line.text}\n\n".encode()


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _answer(send: Send, status: HTTPStatus, detail: str = "") -> None:
    """Without a stream; with a problem document where there is something to say (the module of errors needs models)."""
    said = {"type": "urn:remit:problem:busy", "title": status.phrase, "status": status.value, "detail": detail}
    body = json.dumps({**said, "request_id": ""}).encode() if detail else b""
    headers = [(b"cache-control", b"no-store"), (b"content-length", str(len(body)).encode()), (b"retry-after", b"5")]
    if body:
        headers.append((b"content-type", b"application/problem+json"))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
