"""The web server as it is started: uvicorn, our application in front of Django, a real Postgres."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from foundation.access.models import Grant
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation

ROOT = Path(__file__).resolve().parents[2]
Listen = Callable[..., "Stream"]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a running web process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(number),
               "--timeout-graceful-shutdown", "1"]  # fmt: skip
    path = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path, "REMIT_POOL_SIZE": "8"})
    try:
        deadline = time.monotonic() + 30
        while _status(number, "/healthz") != 200:
            assert process.poll() is None, "The web process ended."
            assert time.monotonic() < deadline, "The web process did not answer."
            time.sleep(0.05)
        yield number
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with a run that has queued."""
    return furnish(make_organisation("acme"))


class Stream:
    """An open event stream."""

    def __init__(self, port: int, world: World, role: str = "viewer", **headers: str) -> None:
        self.run = world.things["runs"]
        self.organisation = world.organisation.id
        self._connection = HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request(
            "GET", f"/api/v1/runs/{self.run}/events/stream",
            headers={"Authorization": f"Bearer {world.keys[role]}", "Accept": "text/event-stream"} | headers,
        )  # fmt: skip
        self.response: HTTPResponse = self._connection.getresponse()

    def frames(self) -> Iterator[dict[str, str]]:
        """Each event as it comes; comments are left out."""
        frame: dict[str, str] = {}
        for raw in self.response:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name:
                frame[name] = value
            elif "id" in frame:
                yield frame
                frame = {}
            else:
                frame = {}

    def close(self) -> None:
        """Hang up."""
        self.response.close()
        self._connection.close()


@pytest.fixture
def listen(port: int) -> Iterator[Listen]:
    """Opens event streams, and closes them after the test."""
    streams: list[Stream] = []

    def listen(world: World, role: str = "viewer", **headers: str) -> Stream:
        streams.append(Stream(port, world, role, **headers))
        return streams[-1]

    yield listen
    for stream in streams:
        stream.close()


def happen(run: UUID, organisation: UUID, number: int, kind: str, *, notify: bool = True) -> None:
    """Write an event as the engine does: with the notice in the same transaction."""
    with psycopg.connect(os.environ["DATABASE_ENGINE_URL"]) as connection:
        connection.execute(
            "INSERT INTO runs_event (run_id, number, organisation_id, kind, data) VALUES (%s, %s, %s, %s, %s)",
            [run, number, organisation, kind, json.dumps({"step": number})],
        )
        connection.execute("UPDATE runs_run SET events_written = %s WHERE id = %s", [number, run])
        if kind == "run.succeeded":
            connection.execute("UPDATE runs_run SET state = 'succeeded', ended_at = now() WHERE id = %s", [run])
        if notify:
            connection.execute("SELECT pg_notify('remit_events', %s)", [f"{UUID(int=0)},{run}"])


def _status(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers)
        with connection.getresponse() as answer:
            return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.slow
def test_history_comes_first_and_then_what_happens(listen: Listen, world: World) -> None:
    stream = listen(world)
    assert stream.response.status == 200
    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert stream.response.headers["Content-Encoding"] == "identity"
    assert stream.response.headers["Cache-Control"] == "no-store"
    assert stream.response.headers["X-Accel-Buffering"] == "no"
    frames = stream.frames()
    assert next(frames)["event"] == "run.queued"
    started = time.monotonic()
    happen(stream.run, stream.organisation, 2, "step.intended")
    frame = next(frames)
    assert (frame["id"], frame["event"]) == ("2", "step.intended")
    assert json.loads(frame["data"])["data"] == {"step": 2}
    assert json.loads(frame["data"])["run"] == str(stream.run)
    assert time.monotonic() - started < 2, "A notice is faster than the next look."
    happen(stream.run, stream.organisation, 3, "run.succeeded")
    assert next(frames)["event"] == "run.succeeded"
    assert next(frames, None) is None, "The stream ends with the run."


@pytest.mark.slow
def test_a_lost_notice_only_delays(listen: Listen, world: World) -> None:
    stream = listen(world)
    frames = stream.frames()
    next(frames)
    happen(stream.run, stream.organisation, 2, "step.intended", notify=False)
    assert next(frames)["id"] == "2"


def test_it_goes_on_after_the_last_event_that_the_caller_has(listen: Listen, world: World) -> None:
    run, organisation = world.things["runs"], world.organisation.id
    happen(run, organisation, 2, "step.intended")
    happen(run, organisation, 3, "run.succeeded")
    stream = listen(world, **{"Last-Event-ID": "2"})
    assert [frame["id"] for frame in stream.frames()] == ["3"]
    assert listen(world, **{"Last-Event-ID": "3"}).response.status == 204, "There is nothing to come back for."


@pytest.mark.parametrize("last", ["7", "999999999", "9999999999", "9" * 5_000])
def test_a_number_that_the_run_has_not_reached_begins_with_what_comes(listen: Listen, world: World, last: str) -> None:
    """It is that of another run, or of a database that was restored to an earlier day."""
    stream = listen(world, **{"Last-Event-ID": last})
    happen(stream.run, stream.organisation, 2, "step.intended")
    happen(stream.run, stream.organisation, 3, "run.succeeded")
    assert [frame["id"] for frame in stream.frames()] == ["2", "3"]
    assert listen(world, **{"Last-Event-ID": last}).response.status == 204


@pytest.mark.parametrize("last", ["two", "-1", "1.5", "", "\xb2"])
def test_what_is_no_number_begins_with_the_history(listen: Listen, world: World, last: str) -> None:
    happen(world.things["runs"], world.organisation.id, 2, "run.succeeded")
    assert [frame["id"] for frame in listen(world, **{"Last-Event-ID": last}).frames()] == ["1", "2"]


def test_it_ends_with_a_run_of_which_more_was_told_after_its_end(listen: Listen, world: World) -> None:
    """A person's word on a step in doubt comes after the end, if it comes late."""
    run, organisation = world.things["runs"], world.organisation.id
    for number, kind in enumerate(("step.unknown", "run.succeeded", "step.failed"), 2):
        happen(run, organisation, number, kind)
    for last, left in (("0", [b"1", b"2", b"3", b"4"]), ("3", [b"4"])):
        came = []
        for line in listen(world, **{"Last-Event-ID": last}).response:
            assert not line.startswith(b":"), "it stays open for nothing"
            came += [line[4:].strip()] if line.startswith(b"id: ") else []
        assert came == left
    assert listen(world, **{"Last-Event-ID": "4"}).response.status == 204


@pytest.mark.parametrize(("role", "status"), [("stranger", 403), ("viewer", 200)])
def test_the_guard_of_the_run_is_the_guard_of_its_stream(listen: Listen, world: World, role: str, status: int) -> None:
    stream = listen(world, role)
    assert stream.response.status == status
    if status == 403:
        assert json.loads(stream.response.read())["permission"] == "run.view"


def test_another_organisation_hears_nothing(listen: Listen, world: World) -> None:
    other = make_organisation("other")
    other.things = world.things
    stream = listen(other, "administrator")
    assert stream.response.status == 404
    assert world.canary not in stream.response.read().decode()


def test_nobody_hears_nothing(port: int, world: World) -> None:
    assert _status(port, f"/api/v1/runs/{world.things['runs']}/events/stream") == 401


def test_a_withdrawn_grant_ends_the_next_attempt(listen: Listen, world: World) -> None:
    with tenant(world.organisation.id):
        Grant.objects.filter(principal=world.people["viewer"]).delete()
    assert listen(world).response.status == 403


def test_a_body_beyond_the_limit_is_refused(port: int, world: World) -> None:
    key = {"Authorization": f"Bearer {world.keys['administrator']}", "Content-Type": "application/json"}
    assert _status(port, "/api/v1/runs", "POST", **key, **{"Content-Length": str(10 * 1024 * 1024 + 1)}) == 413


def test_a_body_in_chunks_is_read(port: int, world: World) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"slug": "new", "name": "New"}).encode()
    connection.request(
        "POST", "/api/v1/teams", body=iter([body[:5], body[5:]]), encode_chunked=True,
        headers={
            "Authorization": f"Bearer {world.keys['administrator']}", "Content-Type": "application/json",
            "Transfer-Encoding": "chunked",
        },
    )  # fmt: skip
    with closing(connection), connection.getresponse() as answer:
        assert answer.status == 201, answer.read()


def test_sixty_streams_leave_the_pages_quick(port: int, listen: Listen, world: World) -> None:
    streams = [listen(world) for _ in range(60)]
    assert _status(port, "/sign-in/") == 200
    happen(world.things["runs"], world.organisation.id, 2, "run.succeeded")
    assert all([frame["id"] for frame in stream.frames()] == ["1", "2"] for stream in streams)
