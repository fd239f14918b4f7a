"""Whoever runs a provider can make it answer anything: the web process is everybody's, and outlives it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from foundation.federation import connection
from foundation.federation.services import add_provider
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, away
from tests.servers import serving

LEVELS = b"[" * 100_000


class _Answering(BaseHTTPRequestHandler):
    """Answers with what its class says, in drops where it says so."""

    body = b""
    drops = False

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(self.body)
            while self.drops:
                self.wfile.write(b" ")
                time.sleep(0.05)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def slug(household: Household, domain: str, settings: Any) -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Answering)) as port:
        settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}",)
        with household.in_tenant():
            row = add_provider(
                actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Evil", issuer=f"http://127.0.0.1:{port}",
                client_id="remit", secret="s", domains=[domain],
            )  # fmt: skip
        yield row.slug


def test_an_answer_in_drops_holds_no_thread_for_ever(slug: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_Answering, "drops", True)
    monkeypatch.setattr(connection, "LONGEST", 0.5)
    client = away()
    client.get("/sign-in/")  # the first page of a process reads all the others
    began = time.monotonic()
    answer = client.get(f"/sign-in/with/{slug}/start/")
    assert answer.status_code == 422
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "body", [LEVELS, b'{"issuer": ' + LEVELS, b'"\\u0000"', b"\xff\xfe", b"null"], ids=lambda b: str(b[:12])
)
def test_an_answer_that_makes_no_sense_is_told(slug: str, monkeypatch: pytest.MonkeyPatch, body: bytes):
    monkeypatch.setattr(_Answering, "body", body)
    answer = away().get(f"/sign-in/with/{slug}/start/")
    assert answer.status_code == 422
    assert "does not answer as an identity provider" in answer.content.decode()
