"""An open event stream ends when the grant that opened it is withdrawn."""

import asyncio
from typing import Any

import pytest
from django.db import connections

from agents.runs import stream
from agents.runs.models import ENDED
from config.asgi import application
from foundation.access.models import Grant
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]


def test_the_kinds_of_end_are_those_of_the_runs() -> None:
    assert {f"run.{state.value}" for state in ENDED} == stream.ENDS


def test_a_withdrawn_grant_ends_an_open_stream(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ASK_AGAIN", 0.2)
    monkeypatch.setattr(stream, "POLL", 0.1)
    sent = asyncio.run(_listen_while(world, lambda: _withdraw(world)))
    assert sent[0]["status"] == 200
    assert b"run.queued" in b"".join(message.get("body", b"") for message in sent[1:])
    assert sent[-1].get("more_body", False) is False


def _withdraw(world: World) -> None:
    with tenant(world.organisation.id):
        Grant.objects.filter(principal=world.people["viewer"]).delete()
    connections.close_all()  # of this thread


async def _listen_while(world: World, happen: Any) -> list[dict[str, Any]]:
    """Everything that is sent from the opening of a stream to its end; `happen` comes after the first event."""
    sent: list[dict[str, Any]] = []
    opened = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(dict(message))
        if b"event: " in message.get("body", b""):
            opened.set()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    path = f"/api/v1/runs/{world.things['runs']}/events/stream"
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {world.keys['viewer']}".encode())],
    }  # fmt: skip
    stream_task = asyncio.create_task(application(scope, receive, send))
    await asyncio.wait_for(opened.wait(), 10)
    await asyncio.to_thread(happen)
    await asyncio.wait_for(stream_task, 10)
    await application._stream.feed.close()
    return sent
