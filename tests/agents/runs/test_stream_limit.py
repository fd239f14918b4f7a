"""Nobody takes all event streams of a web process."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from config.asgi import application
from foundation.identity.services import create_api_key
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]


class Listener:
    """One who asks for the stream of a run: what is answered, and the stream until it is closed."""

    def __init__(self, run: Any, key: str) -> None:
        path = f"/api/v1/runs/{run}/events/stream"
        self._scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
            "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {key}".encode())],
        }  # fmt: skip
        self._leave, self._began, self.sent = asyncio.Event(), asyncio.Event(), list[dict[str, Any]]()

    async def open(self) -> int:
        """The status of the answer, once it is there."""
        self._task = asyncio.create_task(application(self._scope, self._receive, self._send))
        await asyncio.wait_for(self._began.wait(), 20)
        return int(self.sent[0]["status"])

    async def close(self) -> None:
        """Go away."""
        self._leave.set()
        await asyncio.wait_for(self._task, 20)

    async def _send(self, message: Any) -> None:
        self.sent.append(dict(message))
        self._began.set()

    async def _receive(self) -> dict[str, Any]:
        await self._leave.wait()
        return {"type": "http.disconnect"}


def test_each_has_so_many_whatever_key_they_use(world: World, settings: Any) -> None:
    settings.RUN_STREAMS = 2
    with tenant(world.organisation.id):
        _, second_key = create_api_key(actor=world.shell, principal=world.people["viewer"], name="second")
    asyncio.run(_try(world, second_key))


async def _try(world: World, second_key: str) -> None:
    run, key = world.things["runs"], world.keys["viewer"]
    opened = [Listener(run, key), Listener(run, second_key)]
    assert [await one.open() for one in opened] == [200, 200]
    refused = Listener(run, second_key)
    assert await refused.open() == 429
    await refused.close()
    headers, said = dict(refused.sent[0]["headers"]), json.loads(refused.sent[1]["body"])
    assert (headers[b"retry-after"], headers[b"content-type"]) == (b"5", b"application/problem+json")
    assert (said["type"], said["status"]) == ("urn:remit:problem:busy", 429)
    opened.append(Listener(run, world.keys["operator"]))
    assert await opened[-1].open() == 200, "others have their own"
    await opened.pop(0).close()
    opened.append(Listener(run, key))
    assert await opened[-1].open() == 200, "one was closed"
    for one in opened:
        with suppress(TimeoutError):
            await one.close()
    await application._stream.feed.close()
    assert not application._stream._open, "nothing is kept of whoever has none"
