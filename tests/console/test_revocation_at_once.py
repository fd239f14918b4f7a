"""A key that is revoked stops within a second: in other processes, and on connections that are open already."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from foundation.access.groups import add_member, create_group, remove_member
from foundation.access.models import Grant
from foundation.access.services import grant, withdraw
from foundation.federation.models import IdentityProvider
from foundation.federation.services import change_provider
from foundation.identity.models import ApiKey, GroupMember, User
from foundation.identity.services import change_password, create_api_key, revoke_api_key, suspend_principal
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation
from tests.foundation.identity.household import PASSWORD, away
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
def stream(port: int, key: str, world: World, **headers: str) -> Iterator[Any]:
    """An open stream of events, with its first line read."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        path = f"/api/v1/runs/{world.things['runs']}/events/stream"
        connection.request("GET", path, headers=headers or {"Authorization": f"Bearer {key}"})
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


def signed_in(world: World, role: str) -> Client:
    """A browser in which somebody is signed in."""
    with tenant(world.organisation.id):
        user = User.objects.get(pk=world.people[role].memberships.get().user_id)
        change_password(actor=world.shell, user=user, password=PASSWORD)
    browser = away()
    assert browser.post("/sign-in/", {"email": user.email, "password": PASSWORD}).status_code == 303
    return browser


def sign_out(_world: World, browser: Client) -> None:
    assert browser.post("/sign-out/").status_code == 303


def other_password(world: World, _: Client) -> None:
    with tenant(world.organisation.id):
        user = User.objects.get(pk=world.people["viewer"].memberships.get().user_id)
        change_password(actor=world.shell, user=user, password=PASSWORD + " again")


def withdraw_grants(world: World, _: Client) -> None:
    with tenant(world.organisation.id):
        for one in Grant.objects.filter(principal=world.people["viewer"]):
            withdraw(actor=world.shell, grant=one)


def leave_group(world: World, _: Client) -> None:
    with tenant(world.organisation.id):
        seat = GroupMember.objects.get(member=world.people["viewer"])
        remove_member(actor=world.shell, membership=seat)


def switch_to_provider(world: World, _: Client) -> None:
    with tenant(world.organisation.id):
        change_provider(actor=world.shell, provider=IdentityProvider.objects.get(), required=True, is_active=True)


def seat(world: World) -> None:
    """The viewer sees what it sees as one of a group, and in no other way."""
    with tenant(world.organisation.id):
        crew = create_group(actor=world.shell, name="Crew")
        add_member(actor=world.shell, group=crew, member=world.people["viewer"])
        grant(actor=world.shell, principal=crew, role="viewer", target=world.team.target)
        withdraw(actor=world.shell, grant=Grant.objects.get(principal=world.people["viewer"]))


@pytest.mark.parametrize("how", [sign_out, other_password, withdraw_grants, leave_group, switch_to_provider])
def test_an_open_stream_ends_with_the_access_that_opened_it(database: Any, ports: tuple[int, int], how: Any) -> None:
    world = furnish(make_organisation("acme"))
    if how is leave_group:
        seat(world)
    if how is switch_to_provider:
        with tenant(world.organisation.id):
            provider = IdentityProvider.objects.get()
            change_provider(actor=world.shell, provider=provider, domains=["example.org"])
    browser = signed_in(world, "viewer")
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    with ExitStack() as open_:
        streams = [open_.enter_context(stream(port, "", world, Cookie=cookie)) for port in ports]
        kept = open_.enter_context(stream(ports[0], world.keys["operator"], world))
        how(world, browser)
        began = time.monotonic()
        for one in streams:
            one.read()  # to its end
        took = time.monotonic() - began
        print(f"{how.__name__}: both streams ended after {took:.3f} s")
        assert took < AT_ONCE
        assert not kept.isclosed()
