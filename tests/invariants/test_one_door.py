"""There is no second path: every route is guarded, and nobody gets through a guard that is not for them.

The matrix is generated: every operation of the OpenAPI document and every page, with each of its methods, for every
role in the organisation, in the own team, in another team and in another organisation, for whoever is suspended or
has a key that is no longer in force, and for nobody. A new route is in it by itself; what it needs is said beside it
in tests/invariants/doors: EXEMPT in routes.py for a route that names no permission, a valid body in bodies.py, a value
for the variable parts of a page's address in addresses.py, and where the things of a new noun hang in places.py.

Every question is undone, so that each is asked of the same world; a refusal is 404 for what one may not know of and
otherwise 403 with the missing permission, and stands in the record.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from foundation.access.roles import ROLES, Permission
from foundation.identity.services import create_api_key
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.foundation.api.world import Api, World, furnish, make_organisation
from tests.invariants.doors.addresses import address_of, path_of
from tests.invariants.doors.bodies import bodies
from tests.invariants.doors.places import (
    BEFORE,
    DONE,
    HANGS,
    MAY_FAIL,
    NAMES_COLLEAGUES,
    Place,
    answers,
    is_hidden,
    pages_answer,
)
from tests.invariants.doors.routes import EXEMPT, Operation, is_guarded, operations, pages, plain, routes
from tests.invariants.doors.seats import Seat, Seats, refusals, take, undone

SEATS = [(role, place) for role in (*ROLES, "stranger") for place in Place
         if role in ROLES or place in {Place.ORGANISATION, Place.OTHER_ORGANISATION}]  # fmt: skip
# The quick suite asks the API for the roles that hold the most and the least; the slow tests ask for all, and pages.
QUICK = {
    ("administrator", Place.ORGANISATION),
    ("administrator", Place.OTHER_ORGANISATION),
    ("viewer", Place.ORGANISATION),
    ("stranger", Place.ORGANISATION),
}
everybody = pytest.mark.parametrize(
    ("role", "place"),
    [
        pytest.param(*seat, id=f"{seat[0]} in {seat[1].value}", marks=[] if seat in QUICK else pytest.mark.slow)
        for seat in SEATS
    ],
)


@pytest.fixture(scope="module")
def seats(django_db_blocker: Any) -> Iterator[Seats]:
    """Two organisations that must never meet, and everybody in them."""
    with django_db_blocker.unblock():
        yield take(furnish(make_organisation("ours")), make_organisation("theirs"))
        connections.close_all()


def test_every_route_is_guarded_or_exempt_with_a_reason() -> None:
    open_routes = {address for address, pattern in routes() if not is_guarded(pattern)}
    assert open_routes <= set(EXEMPT), (
        f"{sorted(open_routes - set(EXEMPT))}: let every method name a permission (foundation.api.viewsets, "
        "foundation.web.pages), or say in EXEMPT of tests/invariants/doors/routes.py who comes in and what proves it."
    )
    assert set(EXEMPT) <= open_routes, f"No longer needed in EXEMPT: {sorted(set(EXEMPT) - open_routes)}."


def test_every_endpoint_is_in_the_document() -> None:
    documented = {(one.method, one.path) for one in operations()}
    for address, pattern in routes():
        # The framework adds HEAD, which is GET without its body, at the first request.
        for method in set(getattr(pattern.callback, "actions", None) or {}) - {"head"}:
            path = "/" + plain(address)
            assert (method.upper(), path) in documented, f"{method} {path}"


def test_every_noun_hangs_somewhere() -> None:
    nouns = {one.noun for one in (*operations(), *pages())}
    assert nouns == set(HANGS), (
        f"Say in HANGS of tests/invariants/doors/places.py where {sorted(nouns - set(HANGS))} hang, and take "
        f"{sorted(set(HANGS) - nouns)} out."
    )


def test_every_body_of_the_matrix_is_used(seats: Seats) -> None:
    unknown = set(bodies(seats.ours)) - {one.name for one in operations()}
    assert not unknown, f"No operation takes {sorted(unknown)}: take them out of tests/invariants/doors/bodies.py."


def ready(operation: Operation, seats: Seats, place: Place) -> None:
    """Do what the operation undoes, where there is something to undo."""
    before = next((one for one in operations() if one.name == BEFORE.get(operation.name)), None)
    if before is not None and place is not Place.OTHER_ORGANISATION:
        done = ask(seats.taken["administrator", Place.ORGANISATION].api, before, seats.ours)
        assert done.status_code in DONE, (before, done.content)


def ask(api: Api, operation: Operation, world: World) -> Any:
    """Carry out an operation on the things of `world`."""
    body = bodies(world).get(operation.name, {}) if operation.method in {"POST", "PATCH", "PUT"} else None
    return api.call(operation.method, path_of(operation, world), body)


def amiss(seat: Seat, world: World, call: Callable[[], Any], allowed: frozenset[int], named: str | None) -> str:
    """What is wrong with one answer; empty if nothing is. It is undone."""
    with undone():
        since = uuid7()
        answer = call()
        if answer.status_code not in allowed:
            return f"{answer.status_code}, not one of {sorted(allowed)}: {_text(answer)[-300:]}"
        if answer.get("Location", "").startswith("/sign-in/?next"):
            return "sends to sign in"
        if answer.status_code == 403 and named and f"{named}" not in _text(answer):
            return f"403 that does not name {named}: {_text(answer)[-300:]}"
        if answer.status_code in {403, 404} and world.canary in _body(answer):
            return f"{answer.status_code} that shows what may not be known"
        hidden = answer.status_code == 404 and allowed == {404}
        if (answer.status_code == 403 or hidden) and not any(
            one.actor_id == seat.principal.id and (named or "") in one.reason for one in refusals(seat.world, since)
        ):
            return f"{answer.status_code} that is not in the record"
    return ""


@everybody
def test_the_api_opens_what_a_role_holds_where_it_holds_it(seats: Seats, role: str, place: Place) -> None:
    seat, world, held = seats.taken[role, place], seats.ours, ROLES.get(role, frozenset())
    wrong = {}
    for operation in operations():
        allowed = answers(operation, operation.permission in held, place)
        named = operation.permission if 403 in allowed and len(allowed) == 1 else None

        def call(operation: Operation = operation) -> Any:
            if operation.permission in held:
                ready(operation, seats, place)
            return ask(seat.api, operation, world)

        found = amiss(seat, world, call, allowed, named)
        if found:
            wrong[f"{operation.method} {operation.path} ({operation.name})"] = found
    assert not wrong, _told(wrong)


@everybody
@pytest.mark.slow
def test_a_page_opens_to_what_a_role_holds_where_it_holds_it(seats: Seats, role: str, place: Place) -> None:
    seat, world, held = seats.taken[role, place], seats.ours, ROLES.get(role, frozenset())
    wrong = {}
    for door, method in ((page, method) for page in pages() for method in page.methods):
        named = door.names(method)
        allowed = pages_answer(door, method, door.page.personal or named in held, place)
        address = address_of(door.pattern, world)
        found = amiss(seat, world, lambda a=address, m=method: seat.visit(m, a), allowed,  # type: ignore[misc]
                      named if 403 in allowed and len(allowed) == 1 else None)  # fmt: skip
        if found:
            wrong[f"{method} {address}"] = found
    assert not wrong, _told(wrong)


@pytest.mark.parametrize("place", [Place.OTHER_TEAM, Place.OTHER_ORGANISATION], ids=str)
@pytest.mark.slow
def test_what_hangs_elsewhere_shows_nowhere(seats: Seats, place: Place) -> None:
    """Though every permission is held in the other place."""
    seat, world = seats.taken["administrator", place], seats.ours
    shown = []
    calls: list[tuple[str, str, Callable[[], Any]]] = [
        (one.noun, one.path, lambda one=one: ask(seat.api, one, world)) for one in operations() if one.method == "GET"
    ]  # type: ignore[misc]
    calls += [
        (door.noun, door.pattern, lambda door=door: seat.visit("GET", address_of(door.pattern, world)))  # type: ignore[misc]
        for door in pages() if "GET" in door.methods and (
            place is Place.OTHER_ORGANISATION or door.pattern not in NAMES_COLLEAGUES)
    ]  # fmt: skip
    for noun, address, call in calls:
        with undone():
            if is_hidden(noun, place) and world.canary in _body(call()):
                shown.append(address)
    assert not shown, shown


@pytest.mark.slow
def test_methods_that_are_not_in_the_document_do_nothing(seats: Seats) -> None:
    api = seats.taken["administrator", Place.ORGANISATION].api
    documented = {(one.method, one.path) for one in operations()}
    for path in sorted({path for _, path in documented}):
        for method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - {m for m, p in documented if p == path}:
            with undone():
                address = path.replace("{id}", str(uuid7())).replace("{number}", "1").replace("{other}", "x")
                assert api.call(method, address, {}).status_code == 405, (method, path)


def test_nobody_gets_in(seats: Seats) -> None:
    """Without a key, or without a session."""
    for operation in operations():
        answer = ask(Api(), operation, seats.ours)
        assert answer.status_code == 401, operation
        assert answer["WWW-Authenticate"].startswith("Bearer"), operation
        assert seats.ours.canary not in answer.content.decode(), operation
    client = Client()
    for door in pages():
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = client.generic(method, address_of(door.pattern, seats.ours))
            assert answer.status_code == 303, (method, door)
            assert answer["Location"].startswith("/sign-in/"), door
            assert seats.ours.canary not in answer.content.decode(), door


@pytest.mark.parametrize("why", ["expired", "revoked", "suspended", "made up"])
@pytest.mark.slow
def test_a_key_that_is_not_in_force_opens_nothing(seats: Seats, why: str) -> None:
    """And each attempt is in the record: of the organisation whose key it was, or of the installation."""
    api = Api(seats.shut[why])
    for operation in operations():
        with undone():
            since = uuid7()
            answer = ask(api, operation, seats.ours)
            assert answer.status_code == 401, operation
            assert seats.ours.canary not in answer.content.decode(), operation
            if why != "made up":
                assert [one.action for one in refusals(seats.ours, since)] == ["key.authenticate"], operation


@pytest.mark.slow
def test_whoever_is_suspended_sees_no_page(seats: Seats) -> None:
    """The browser that was signed in before is sent to sign in, and that is in the record."""
    assert seats.suspended is not None
    for door in pages():
        for method in door.methods:
            with undone():
                since = uuid7()
                answer = seats.suspended.visit(method, address_of(door.pattern, seats.ours))
                assert answer.status_code == 303, (method, door)
                assert answer["Location"].startswith("/sign-in/"), door
                assert [one.action for one in refusals(seats.ours, since)] == ["person.authenticate"], door


def test_a_narrowed_key_does_only_what_it_names(seats: Seats) -> None:
    ours = seats.ours
    with tenant(ours.organisation.id):
        owner = ours.people["administrator"]
        _, key = create_api_key(actor=ours.shell, principal=owner, name="narrow", scopes=("run.view",))
    for operation in operations():
        with undone():
            answer = ask(Api(key), operation, ours)
            assert answer.status_code == (200 if operation.permission == Permission.RUN_VIEW else 403), operation


def test_what_may_fail_has_to() -> None:
    names = {one.name for one in operations()}
    assert set(MAY_FAIL) <= names
    assert not {status for status, _why in MAY_FAIL.values()} & DONE


def _told(wrong: dict[str, str]) -> str:
    return "\n".join(f"{where}: {what}" for where, what in wrong.items())


def _text(answer: Any) -> str:
    whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(whole.decode())


def _body(answer: Any) -> str:
    """Without the shell around a page, which names the own organisation and person."""
    text = _text(answer)
    return text.partition("<main")[2] if "<main" in text else text
