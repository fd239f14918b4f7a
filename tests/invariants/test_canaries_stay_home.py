"""Tenants never meet: a canary in every text of one organisation is read by nobody else, wherever they ask.

The other one asks, with all permissions, every operation of the OpenAPI document with each of its parameters, every
page with each method, the search, the exports, the events and SCIM, for things of its own and by the ids of ours (who
hears the open event stream: tests/config/test_asgi.py). Then the same with every filter of the application taken out:
row-level security alone keeps them apart.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connections
from django.db.models import QuerySet
from django.test import Client

from foundation.access import guards
from foundation.access import models as access
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.access.services import grant
from foundation.organisations.models import GrantTarget, Team
from foundation.tenancy.context import tenant
from tests.canaries import plant
from tests.foundation.api.world import Api, World, furnish, make_organisation
from tests.invariants.doors.addresses import address_of, path_of
from tests.invariants.doors.bodies import bodies
from tests.invariants.doors.questions import Asked, answered, parameters, scim
from tests.invariants.doors.routes import operations, pages
from tests.invariants.doors.seats import Seat, seat_of
from tests.workers import superuser

SPECIES = "kanarie"  # what every canary begins with, and what is searched for
CANARY = f"{SPECIES}-4711"


@pytest.fixture(scope="module")
def ours(django_db_blocker: Any) -> Iterator[World]:
    """The organisation that is full of canaries."""
    with django_db_blocker.unblock():
        world = furnish(make_organisation("ours"))
        planted = plant(world.organisation.id, CANARY)
        assert sum(map(len, planted.values())) > 140
        yield world
        connections.close_all()


@pytest.fixture(scope="module")
def theirs(django_db_blocker: Any) -> Iterator[Seat]:
    """Whoever may do everything in the other one."""
    with django_db_blocker.unblock():
        world = furnish(make_organisation("theirs"))
        with tenant(world.organisation.id):
            root = GrantTarget.objects.get(pk=world.organisation.id)
            grant(actor=world.shell, principal=world.people["administrator"], role="auditor", target=root)
        yield seat_of(world, "administrator")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that has forgotten every filter: everybody may do everything with whatever the database shows."""

    def no_filter(self: Any, *_: Any) -> Any:
        return self.all()

    def no_organisation(self: Any, negate: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        return filtering(self, negate, args, {k: v for k, v in kwargs.items() if not k.startswith("organisation")})

    filtering = QuerySet._filter_or_exclude  # type: ignore[attr-defined]
    monkeypatch.setattr(QuerySet, "_filter_or_exclude", no_organisation)
    for words in _family(PermittedQuerySet):
        if "permitted" in vars(words):
            monkeypatch.setattr(words, "permitted", no_filter)
    for name, home, answer in (
        ("require", guards, None), ("holds_somewhere", guards, True), ("permissions_on", access, frozenset(Permission)),
    ):  # fmt: skip
        real = getattr(home, name)
        for module in [one for one in sys.modules.values() if getattr(one, name, None) is real]:
            monkeypatch.setattr(module, name, lambda *_args, _answer=answer, **_kwargs: _answer)


def _family(words: type) -> Iterator[type]:
    yield words
    for child in words.__subclasses__():
        yield from _family(child)


def questions(seat: Seat, ours: World) -> Iterator[tuple[str, Callable[[], Any]]]:
    """All that can be asked over HTTP: what it is, and how to ask it."""
    for world in (seat.world, ours):
        for operation in operations():
            path, body = path_of(operation, world), bodies(world).get(operation.name, {})
            yield f"{operation.method} {path}", lambda o=operation, p=path, b=body: seat.api.call(  # type: ignore[misc]
                o.method, p, None if o.method in {"GET", "DELETE"} else b)  # fmt: skip
        for door, method in ((page, method) for page in pages() for method in page.methods):
            address = address_of(door.pattern, world)
            yield f"{method} {address}", lambda m=method, a=address: seat.visit(m, a)  # type: ignore[misc]
    wanted = [str(ours.organisation.id), *map(str, {*ours.things.values(), *(one.id for one in ours.people.values())})]
    for path, name in parameters():
        for value in (SPECIES, *wanted[:: max(1, len(wanted) // 4)]):
            address = f"{path}?{urlencode({name: value})}"
            yield f"GET {address}", lambda a=address: seat.api.get(a)  # type: ignore[misc]
    for door in pages():
        if "GET" in door.methods and not set("<(\\") & set(door.pattern):
            address = address_of(door.pattern, ours) + "?" + urlencode({"q": SPECIES, "range": "all", "all": "1"})
            yield f"GET {address}", lambda a=address: seat.visit("GET", a)  # type: ignore[misc]
    for address in scim(ours, SPECIES):
        yield f"GET {address}", lambda a=address: Client().get(  # type: ignore[misc]
            a, headers={"Authorization": f"Bearer {seat.key}"})  # fmt: skip


def sweep(seat: Seat, ours: World) -> list[Asked]:
    """The answers to all questions; what they change is undone."""
    return [answered(what, ask) for what, ask in questions(seat, ours)]


def leaks(asked: list[Asked]) -> list[str]:
    """The questions whose answers hold a canary; a question repeats only what it holds itself."""
    return [one.address for one in asked if CANARY in one.said]


@pytest.mark.slow
def test_no_answer_holds_a_canary_of_another_organisation(ours: World, theirs: Seat) -> None:
    asked = sweep(theirs, ours)
    assert len(asked) > 500
    assert [one.address for one in asked if one.status >= 500] == []
    assert leaks(asked) == []


@pytest.mark.slow
def test_row_level_security_holds_alone(ours: World, theirs: Seat, forgetful: None) -> None:
    stranger = seat_of(theirs.world, "stranger")
    assert stranger.api.get("/agents").json()["items"], "the filters are still there"
    asked = sweep(theirs, ours)
    assert leaks(asked) == []
    seen = {one.address: one.status for one in asked}
    assert seen[f"GET /api/v1/agents/{theirs.world.things['agents']}"] == 200
    assert seen[f"GET /api/v1/agents/{ours.things['agents']}"] == 404


def test_without_either_the_canary_sings(ours: World, theirs: Seat, forgetful: None) -> None:
    """The control: this test would see a leak."""
    table, address = Team._meta.db_table, f"/teams/{ours.team.id}"
    with superuser() as database:
        database.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY".encode())
        try:
            assert CANARY in Api(theirs.key).get(address).content.decode()
        finally:
            database.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())
    assert CANARY not in Api(theirs.key).get(address).content.decode()
