"""Whether Remit lives (`/healthz`) and can work (`/readyz`). Both stand in front of Django: they need no session,
no tenant and no allowed host, and answer when all of Django's threads are busy."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from kombu import Connection
from kombu.exceptions import OperationalError
from psycopg_pool import PoolTimeout

SEEN_WITHIN = 15  # seconds
PATIENCE = 5.0  # seconds for all of it
Part = dict[str, Any]

_HEARTBEATS = """
    SELECT kind, extract(epoch FROM clock_timestamp() - max(seen_at))::float8 FROM runs_heartbeat GROUP BY kind
"""
_TO_DO = {
    "database": "Postgres does not answer: see that it runs and that DATABASE_URL leads to it.",
    "broker": "The broker does not answer: see that it runs and that BROKER_URL leads to it.",
    "worker": "Start a worker: celery -A config.celery worker.",
    "scheduler": "Start the scheduler: celery -A config.celery beat; a worker must run, too, to carry its tick.",
}


async def answer(path: str, send: Callable[[dict[str, Any]], Any]) -> None:
    """Answer `/healthz` or `/readyz` as ASGI messages."""
    status, said = (200, {"status": "alive"}) if path == "/healthz" else await _ready()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode() + b"\n"})


def readiness() -> tuple[int, Part]:
    """Status, and each part with what to do where it fails. Blocks; raises nothing."""
    parts = _database() | {"broker": _broker()}
    ready = all(part["ready"] for part in parts.values())
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return status.value, {"status": "ready" if ready else "not ready", "parts": parts}


async def _ready() -> tuple[int, Part]:
    try:
        return await asyncio.wait_for(asyncio.to_thread(readiness), PATIENCE)
    except TimeoutError:
        to_do = f"Database or broker did not answer within {PATIENCE:.0f} seconds: see whether they are overloaded."
        return 503, {"status": "not ready", "parts": {}, "to_do": to_do}


def _database() -> dict[str, Part]:
    """The database, and what the heartbeats in it say of worker and scheduler."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_HEARTBEATS)
            ages: dict[str, float] = dict(cursor.fetchall())
    except (DatabaseError, PoolTimeout):
        return {name: _part(name, ready=False) for name in ("database", "worker", "scheduler")}
    finally:
        connection.close()
    seen = {kind: _seen(kind, ages.get(kind)) for kind in ("worker", "scheduler")}
    return {"database": _part("database", ready=True)} | seen


def _seen(kind: str, age: float | None) -> Part:
    seen = {} if age is None else {"seen_seconds_ago": round(age, 1)}
    return _part(kind, ready=age is not None and age <= SEEN_WITHIN) | seen


def _broker() -> Part:
    try:
        with Connection(settings.BROKER_URL, connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except (OperationalError, OSError):
        return _part("broker", ready=False)
    return _part("broker", ready=True)


def _part(name: str, *, ready: bool) -> Part:
    return {"ready": True} if ready else {"ready": False, "to_do": _TO_DO[name]}
