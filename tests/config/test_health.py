"""What the two checks say, and what they advise."""

import asyncio
import json
import os
from typing import Any

import psycopg
import pytest
from django.conf import settings

from config import health


def asked(path: str) -> tuple[int, dict[str, Any]]:
    """The answer of a check, as the web server would send it."""
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    asyncio.run(health.answer(path, send))
    return messages[0]["status"], json.loads(messages[1]["body"])


@pytest.fixture
def seen(database: Any) -> Any:
    """Writes when worker and scheduler were last seen, in seconds ago."""

    def write(**ages: float) -> None:
        with psycopg.connect(os.environ["DATABASE_ENGINE_URL"]) as connection:
            connection.execute("DELETE FROM runs_heartbeat")
            for kind, age in ages.items():
                connection.execute(
                    "INSERT INTO runs_heartbeat (name, kind, seen_at) VALUES (%s, %s, now() - %s * interval '1 s')",
                    [kind, kind, age],
                )

    yield write
    write()


def test_alive_needs_nothing() -> None:
    assert asked("/healthz") == (200, {"status": "alive"})


def test_ready_when_every_part_is(seen: Any) -> None:
    seen(worker=1, scheduler=2)
    status, said = asked("/readyz")
    assert status == 200, said
    assert said["status"] == "ready"
    assert set(said["parts"]) == {"database", "broker", "worker", "scheduler"}


def test_a_worker_that_was_not_seen_is_named(seen: Any) -> None:
    seen(worker=60, scheduler=2)
    status, said = asked("/readyz")
    assert status == 503
    assert said["parts"]["worker"]["ready"] is False
    assert "celery" in said["parts"]["worker"]["to_do"]
    assert said["parts"]["scheduler"]["ready"] is True


def test_a_worker_whose_heart_beats_slowly_is_no_lost_one(seen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings that a worker begins with do not make it look dead between two of its beats."""
    monkeypatch.setattr(settings, "RUN_HEARTBEAT_SECONDS", 30.0)
    seen(worker=60, scheduler=2)
    assert asked("/readyz")[0] == 200
    seen(worker=100, scheduler=2)
    assert asked("/readyz")[0] == 503


def test_no_database_is_said_and_not_raised(seen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")
    status, said = asked("/readyz")
    assert status == 503
    assert "DATABASE_URL" in said["parts"]["database"]["to_do"]
    assert "password" not in json.dumps(said).lower()
