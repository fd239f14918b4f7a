"""A real OpenID Connect provider, as a process of its own on loopback, and somebody who signs in there."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

DEADLINE = 30.0


@dataclass
class RealProvider:
    """Where it listens, and what it may be told from outside."""

    issuer: str

    def knows(self, subject: str, **claims: Any) -> None:
        """Somebody with these claims."""
        self._send("PUT", f"/users/{urllib.parse.quote(subject)}", json.dumps(claims).encode(), "application/json")

    def signs_in(self, address: str, subject: str) -> str:
        """Fill in the provider's own form at `address`: where it sends the browser to."""
        form = urllib.parse.urlencode({"sub": subject}).encode()
        return self._send("POST", address.removeprefix(self.issuer), form, "application/x-www-form-urlencoded")

    def _send(self, method: str, path: str, body: bytes, kind: str) -> str:
        request = urllib.request.Request(self.issuer + path, body, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=10) as answer:
                return str(answer.headers.get("Location", ""))
        except urllib.error.HTTPError as redirect:
            with redirect:
                return str(redirect.headers.get("Location", ""))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """The browser of the test follows, not this one."""


TELLS_WHEN = """
import runpy, sys, time
from oidc_provider_mock import _storage
ago = sys.argv.pop(1)
_storage.AuthorizationCode.get_auth_time = lambda self: int(time.time()) - int(ago) if ago.isdecimal() else ago
runpy.run_module("oidc_provider_mock", run_name="__main__")
"""  # the package itself always says: just now

LEADS_ASTRAY = """
import runpy, sys
import flask
from oidc_provider_mock import _app
name, address = sys.argv.pop(1), sys.argv.pop(1)
_plain = flask.jsonify
def _led(*values, **more):
    if values and isinstance(values[0], dict) and name in values[0]:
        values[0][name] = address
    return _plain(*values, **more)
flask.jsonify = _led
runpy.run_module("oidc_provider_mock", run_name="__main__")
"""  # one of the addresses in its metadata is another

SAYS_APART = """
import runpy
from oidc_provider_mock import _app
_plain = _app._user_claims_for_scope
def _of(where):
    def _claims(user, scope):
        said = _plain(user, scope)
        return {**said, **said.pop(where, {})}
    return _claims
_app._user_claims_for_scope = _of("userinfo")
_in_token = _of("token")
_app.OpenIDCode.generate_user_info = lambda self, user, scope: _in_token(user, scope)
runpy.run_module("oidc_provider_mock", run_name="__main__")
"""  # what stands in `token` is in the ID token only, what stands in `userinfo` there only


@contextmanager
def a_provider(*program: str) -> Iterator[RealProvider]:
    """A provider of its own: `program` is what Python is to run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *program, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + DEADLINE
    while True:
        assert process.poll() is None, "The provider has ended by itself."
        assert time.monotonic() < deadline, "The provider does not answer."
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    try:
        yield RealProvider(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def running_provider() -> Iterator[RealProvider]:
    """One for all tests."""
    with a_provider("-m", "oidc_provider_mock") as running:
        yield running


@pytest.fixture
def real_provider(running_provider: RealProvider, settings: Any) -> RealProvider:
    """The provider, which the operator has allowed although it is on loopback."""
    settings.REMIT_OUTBOUND_ALLOW = (running_provider.issuer.removeprefix("http://"),)
    return running_provider


def come_in(client: Client, provider: RealProvider, slug: str, subject: str, query: str = "") -> Any:
    """A browser signs in through a provider: the answer to its coming back."""
    there = client.get(f"/sign-in/with/{slug}/start/{query}")
    assert there.status_code == 302, re.sub(r"\s+", " ", there.content.decode())[-600:]
    back = urllib.parse.urlsplit(provider.signs_in(there["Location"], subject))
    return client.get(f"{back.path}?{back.query}")
