"""A key that is revoked stops within a second: in other processes, and on connections that are open already."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest

from foundation.identity.models import ApiKey
from foundation.identity.services import create_api_key, revoke_api_key, suspend_principal
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation
from tests.servers import web_server

pytestmark = pytest.mark.slow
AT_ONCE = 1.0  # seconds


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two web processes, as on two hosts."""
    with web_server() as one, web_server() as other:
        yield one, other


def status(port: int, key: str) -> int:
    """What a new connection is answered."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/api/v1/organisation", headers={"Authorization": f"Bearer {key}"})
        return connection.getresponse().status


@contextmanager
def stream(port: int, key: str, world: World) -> Iterator[Any]:
    """An open stream of events, with its first line read."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        path = f"/api/v1/runs/{world.things['runs']}/events/stream"
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        with connection.getresponse() as answer:
            assert answer.status == 200
            while not answer.readline().startswith(b"event: "):
                pass
            yield answer


@pytest.mark.parametrize("how", ["revoked", "suspended"])
def test_a_stopped_key_is_refused_everywhere_within_a_second(database: Any, ports: tuple[int, int], how: str) -> None:
    world = furnish(make_organisation("acme"))
    person = world.people["viewer"]
    with tenant(world.organisation.id):
        key, secret = create_api_key(actor=world.shell, principal=person, name="k")
    assert [status(port, secret) for port in ports] == [200, 200]
    with ExitStack() as open_:
        streams = [open_.enter_context(stream(port, secret, world)) for port in ports]
        kept = open_.enter_context(stream(ports[0], world.keys["operator"], world))
        with tenant(world.organisation.id):
            if how == "revoked":
                revoke_api_key(actor=world.shell, api_key=ApiKey.objects.get(pk=key.pk))
            else:
                suspend_principal(actor=world.shell, principal=person, reason="Test")
        began = time.monotonic()
        assert [status(port, secret) for port in ports] == [401, 401]
        for one in streams:
            one.read()  # to its end
        took = time.monotonic() - began
        print(f"{how}: refused, and both streams ended, after {took:.3f} s")
        assert took < AT_ONCE
        assert not kept.isclosed()  # another's stream goes on
