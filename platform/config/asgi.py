"""What the web server runs: `uvicorn config.asgi:application`.

Console and REST are synchronous Django in a pool of threads; what stays open, or must answer when all threads are
busy, is plain ASGI in front of it, in the same process.
"""

import os
from contextlib import suppress
from typing import Any, cast

# Before the imports that read it. Each thread may hold one connection, and the health check one more.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("REMIT_WEB_THREADS", "16")
os.environ.setdefault("REMIT_POOL_SIZE", str(int(os.environ["REMIT_WEB_THREADS"]) + 1))

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from agents.runs.checks import refuse_wrong_timings
from agents.runs.stream import ADDRESS, EventStream
from config import health
from config.bodies import Application, Receive, Scope, Send, WholeBodies

HEALTH = ("/healthz", "/readyz")


class Router:
    """Sends each request to whoever answers it."""

    def __init__(self, django: Application) -> None:
        self._django = django
        self._stream = EventStream(django)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["method"] in {"GET", "HEAD"}
        if reads and scope["path"] in HEALTH:
            await health.answer(scope["path"], send)
        elif scope["method"] == "GET" and ADDRESS.match(scope["path"]):
            await self._stream(scope, receive, send)
        else:
            await self._django(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stream.feed.close()
        await send({"type": "lifespan.shutdown.complete"})


def build() -> Router:
    """The application, with its settings read and Django set up."""
    # WhiteNoise would warn of a folder that `collectstatic` has not made: the files are found without it, too.
    with suppress(OSError):
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    refuse_wrong_timings()
    bridge: Any = WSGIMiddleware(cast("Any", get_wsgi_application()), workers=int(os.environ["REMIT_WEB_THREADS"]))
    return Router(WholeBodies(bridge, lambda: settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0))


application = build()
