"""Whether Remit lives (`/healthz`) and can work (`/readyz`).

Both stand in front of Django: they need no session, no tenant and no allowed host, and answer when all of Django's
threads and connections are busy.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import psycopg
from django.conf import settings
from kombu.exceptions import OperationalError
from psycopg_pool import PoolTimeout

from agents.runs.feed import serving_address
from config.celery import app

SEEN_WITHIN = 15  # seconds, or
BEATS = 3  # heartbeats of a worker, where these are slower
PATIENCE = 5.0  # seconds
Part = dict[str, Any]

_HEARTBEATS = """
    SELECT kind, extract(epoch FROM clock_timestamp() - max(seen_at))::float8 FROM runs_heartbeat GROUP BY kind
"""
_TO_DO = {
    "database": "Postgres does not answer: see that it runs and that DATABASE_URL leads to it.",
    "broker": "The broker does not answer: see that it runs and that BROKER_URL leads to it.",
    "worker": "No worker was seen: start one with `celery -A config.celery worker`.",
    "scheduler": "No scheduler was seen: start it with `celery -A config.celery beat`; a worker carries its tick.",
}


async def answer(path: str, send: Callable[[dict[str, Any]], Any]) -> None:
    """Answer `/healthz` or `/readyz` as ASGI messages."""
    status, said = (HTTPStatus.OK, {"status": "alive"}) if path == "/healthz" else await readiness()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode() + b"\n"})


async def readiness() -> tuple[HTTPStatus, Part]:
    """Status, and each part with what to do where it fails. Takes at most PATIENCE seconds; raises nothing."""
    ages, broker = await asyncio.gather(_within(_heartbeats), _within(_ask_broker))
    parts = {
        "database": _part("database", ready=ages is not None),
        "broker": _part("broker", ready=broker is not None),
        "worker": _seen("worker", ages or {}),
        "scheduler": _seen("scheduler", ages or {}),
    }
    ready = all(part["ready"] for part in parts.values())
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return status, {"status": "ready" if ready else "not ready", "parts": parts}


async def _within(question: Callable[[], Any]) -> Any:
    """The answer of something that blocks; None if it fails or takes too long."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(question), PATIENCE)
    except (TimeoutError, psycopg.Error, PoolTimeout, OperationalError, OSError):
        return None


def _heartbeats() -> dict[str, float]:
    """Seconds since each kind of process was last seen."""
    with psycopg.connect(serving_address(), connect_timeout=3, autocommit=True) as connection:
        return dict(connection.execute(_HEARTBEATS).fetchall())


def _ask_broker() -> bool:
    # Without it the transport over Postgres waits for half a minute.
    options = {"pool_timeout": 2} if settings.BROKER_URL.startswith("pgmq:") else {}
    with app.connection_for_write(connect_timeout=2, transport_options=options) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    return True


def _seen(kind: str, ages: dict[str, float]) -> Part:
    age, patience = ages.get(kind), max(SEEN_WITHIN, BEATS * settings.RUN_HEARTBEAT_SECONDS)
    seen = {} if age is None else {"seen_seconds_ago": round(age, 1)}
    return _part(kind, ready=age is not None and age <= patience) | seen


def _part(name: str, *, ready: bool) -> Part:
    return {"ready": True} if ready else {"ready": False, "to_do": _TO_DO[name]}
