"""There is no second path: every route is guarded, and nobody gets through a guard that is not for them.

The matrix is generated: every operation of the OpenAPI document and every page, for every role, in the own
organisation and in another one, with an expired key, and for nobody. A new route is in it by itself; one that names
no permission must stand in EXEMPT with a reason, and a reason that is no longer needed fails too.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from drf_spectacular.generators import SchemaGenerator

from foundation.access.roles import ROLES, Permission
from foundation.api.permissions import NamedPermission, permission_of
from foundation.identity.services import create_api_key
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from foundation.web.pages import Page
from tests.foundation.api.world import BASE, Api, World, furnish, make_organisation

EXEMPT = {
    "api/schema/": "the document describes the product, and holds nobody's data",
    "api/v1/callbacks/<uuid:identifier>/call": "whoever calls it signs the call; the signature is the proof",
    "api/v1/triggers/<uuid:identifier>/call": "whoever calls it signs the call; the signature is the proof",
    "api/^.*$": "says that there is nothing at an address, and nothing else",
    "csp-report": "a browser reports what it blocked, from any page; nothing is kept but a line of log",
    "theme": "a cookie of the visitor's own",
    "sign-in/": "whoever signs in is nobody yet",
    "sign-in/link/<str:token>/": "whoever signs in is nobody yet; the token is the proof",
}
LAST = ("destroy", "retire")  # after these there is nothing left to act on


class Operation(NamedTuple):
    """One operation of the API."""

    name: str
    method: str
    path: str
    permission: Permission

    @property
    def order(self) -> tuple[int, str]:
        """Reads first, then writes, what ends a thing last."""
        ends = self.name.endswith(LAST)
        return (2 if ends else int(self.method != "GET"), self.path)


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route of the product, with its whole address."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern
        else:
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))


def is_guarded(pattern: URLPattern) -> bool:
    """Whether every method of a route names a permission, under the guard that checks it."""
    endpoints = getattr(pattern.callback, "cls", None)
    if endpoints is not None:
        actions = getattr(pattern.callback, "actions", None) or {}
        guarded = endpoints.permission_classes == [NamedPermission]
        return guarded and bool(actions) and all(permission_of(endpoints, action) for action in actions.values())
    page = getattr(pattern.callback, "view_class", None)
    return page is not None and issubclass(page, Page) and (page.permission is not None or page.personal)


@cache
def operations() -> list[Operation]:
    """Every operation of the OpenAPI document, with what its endpoint names."""
    generator = SchemaGenerator()
    paths = generator.get_schema(request=None, public=True)["paths"]
    found = []
    for path, _regex, method, view in generator._get_paths_and_endpoints():
        operation = paths.get(path, {}).get(method.lower())
        if operation is None:
            continue
        permission = permission_of(view, view.action)
        assert permission is not None, path
        found.append(Operation(operation["operationId"], method, path, permission))
    return sorted(found, key=lambda one: one.order)


def test_every_route_is_guarded_or_exempt_with_a_reason() -> None:
    open_routes = {address for address, pattern in routes() if not is_guarded(pattern)}
    assert open_routes == set(EXEMPT)


def test_every_endpoint_is_in_the_document() -> None:
    documented = {(one.method, one.path) for one in operations()}
    for address, pattern in routes():
        # The framework adds HEAD, which is GET without its body, at the first request.
        for method in set(getattr(pattern.callback, "actions", None) or {}) - {"head"}:
            path = "/" + _plain(address)
            assert (method.upper(), path) in documented, f"{method} {path}"


def _plain(address: str) -> str:
    for given, plain in (
        ("(?P<id>[^/]+)", "{id}"),
        ("(?P<number>[0-9]{1,9})", "{number}"),
        ("(?P<other>[^/]+)", "{other}"),
        ("^", ""),
        ("$", ""),
    ):
        address = address.replace(given, plain)
    return address.replace(r"\Z", "")


@pytest.fixture(scope="module")
def worlds(django_db_blocker: Any) -> Iterator[tuple[World, World]]:
    """Two organisations that must never meet. What is asked of them here changes neither."""
    with django_db_blocker.unblock():
        yield furnish(make_organisation("ours")), furnish(make_organisation("theirs"))


def bodies(world: World) -> dict[str, Any]:
    """A valid body for every operation that takes one: it names things of `world`."""
    things, desk = world.things, str(world.team.id)
    digest = "sha256:1"
    return {
        "agents_create": {"team": desk, "slug": "another", "name": "Another", "sponsor": _id(world, "administrator")},
        "agents_publish": {"instructions": "Answer.", "language_model": str(things["language-models"])},
        "agents_retire": {"reason": "It is time."},
        "agents_serve": {"version": 1},
        "agents_sponsor": {"sponsor": _id(world, "viewer")},
        "agents_suspend": {"reason": "It is time."},
        "api_keys_create": {"name": "Key", "principal": str(things["services"])},
        "approvals_approve": {"digest": digest},
        "approvals_deny": {"reason": "No."},
        "budgets_create": {"scope": "agent", "scope_id": str(things["agents"]), "limit": 1, "currency": "EUR"},
        "connectors_create": {
            "slug": "more", "name": "More", "kind": "documents", "credential": str(things["credentials"]),
        },
        "credentials_create": {"name": "Another", "secret": "hidden"},
        "grants_create": {
            "principal": str(things["services"]), "role": "viewer", "target": str(world.organisation.id)
        },
        "language_models_create": {
            "provider": str(things["providers"]), "slug": "large", "name": "Large", "wire_name": "large",
        },
        "language_models_set_price": {"currency": "EUR", "input_per_million": 1, "output_per_million": 1},
        "people_create": {"email": f"new-{uuid7()}@example.org", "name": "New"},
        "people_suspend": {"reason": "Away."},
        "policies_create": {"slug": "more", "name": "More", "source": "permit (principal, action, resource);"},
        "policies_mode": {"mode": "log_only"},
        "policies_publish": {"source": "permit (principal, action, resource);"},
        "policies_try_act": {"agent": "clerk", "target": "papers.search", "arguments": {"query": "x"}},
        "providers_change": {"name": "Renamed"},
        "providers_create": {"slug": "second", "name": "Second", "base_url": "https://two.example.org/v1"},
        "questions_answer": {"answer": {"answer": "Yes."}},
        "runs_cancel": {"reason": "Enough."},
        "runs_create": {"agent": str(things["agents"]), "input": "Hello"},
        "runs_fork": {"step": 0},
        "runs_pause": {"reason": "Let me look."},
        "runs_resolve_unknown": {"step": 1, "outcome": "failed", "evidence": "The ledger says so."},
        "runs_retry": {"step": 1},
        "schedules_change": {"name": "Renamed"},
        "schedules_create": {"agent": str(things["agents"]), "name": "Hourly", "kind": "cron",
                             "expression": "0 * * * *", "input": "Hello"},
        "services_create": {"name": "Helper"},
        "sessions_close": {"reason": "Done."},
        "sessions_create": {"agent": str(things["agents"])},
        "sessions_forget": {"name": "canary"},
        "sessions_move": {"version": 1},
        "sessions_remember": {"name": "language", "value": "French"},
        "sessions_save": {"name": "note.txt", "text": "Hello"},
        "services_suspend": {"reason": "Away."},
        "teams_change": {"name": "Renamed"},
        "teams_create": {"slug": "below", "name": "Below", "parent": desk},
        "triggers_change": {"name": "Renamed"},
        "triggers_create": {"agent": str(things["agents"]), "name": "Shop"},
    }  # fmt: skip


def _id(world: World, role: str) -> str:
    return str(world.people[role].id)


def ask(api: Api, operation: Operation, world: World) -> Any:
    """Carry out an operation on the things of `world`."""
    resource = operation.path.removeprefix(f"{BASE}/").partition("/")[0]
    thing = str(world.things.get(resource, UUID(int=0)))
    body = bodies(world).get(operation.name, {}) if operation.method in {"POST", "PATCH"} else None
    path = operation.path.replace("{id}", thing).replace("{other}", thing).replace("{number}", "1")
    return api.call(operation.method, path, body)


def test_every_body_of_the_matrix_is_used() -> None:
    taking = {one.name for one in operations()}
    world = World(organisation=_Thing(), team=_Thing())
    world.people = {role: _Thing() for role in (*ROLES, "stranger")}
    world.things = {one.path.removeprefix(f"{BASE}/").partition("/")[0]: UUID(int=0) for one in operations()}
    assert set(bodies(world)) <= taking


class _Thing:
    id = UUID(int=0)


@pytest.mark.parametrize("who", ["nobody", "expired", "garbage"])
def test_without_a_key_in_force_everything_is_closed(worlds: tuple[World, World], who: str) -> None:
    ours, _ = worlds
    api = Api({"nobody": None, "expired": ours.expired, "garbage": "rmt_" + "x" * 40}[who])
    for operation in operations():
        answer = ask(api, operation, ours)
        assert answer.status_code == 401, operation
        assert answer["WWW-Authenticate"].startswith("Bearer"), operation
        assert ours.canary not in answer.content.decode(), operation


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_a_role_does_what_it_holds_and_nothing_else(database: Any, role: str) -> None:
    own = furnish(make_organisation("own"))
    api, held = own.api(role), ROLES.get(role, frozenset())
    for operation in operations():
        answer = ask(api, operation, own)
        allowed = {200, 201, 204, 400, 409} if operation.permission in held else {403}
        if operation.name.startswith("approvals_") and operation.method == "POST":
            allowed |= {403}  # separation of duties: the roles that were asked, and never the requester
        if operation.path.startswith(f"{BASE}/audit/"):
            allowed |= {404} if 200 in allowed else set()  # nothing is sealed yet, and the entry is nobody's
        assert answer.status_code in allowed, (operation, answer.status_code, answer.content)
        if operation.method == "GET" and operation.permission in held and "audit" not in operation.path:
            assert answer.status_code == 200, (operation, answer.content)
        if answer.status_code == 403 and operation.permission not in held:
            assert answer.json()["permission"] == operation.permission, operation


def test_a_narrowed_key_does_only_what_it_names(database: Any) -> None:
    own = furnish(make_organisation("own"))
    with tenant(own.organisation.id):
        _, key = create_api_key(
            actor=own.shell, principal=own.people["administrator"], name="narrow", scopes=("run.view",)
        )
    for operation in operations():
        answer = ask(Api(key), operation, own)
        assert answer.status_code == (200 if operation.permission == Permission.RUN_VIEW else 403), operation


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_another_organisation_does_not_exist(worlds: tuple[World, World], role: str) -> None:
    ours, theirs = worlds
    api, held = theirs.api(role), ROLES.get(role, frozenset())
    for operation in operations():
        answer = ask(api, operation, ours)
        assert ours.canary not in answer.content.decode(), operation
        if operation.permission not in held:
            allowed = {403}
        elif "{id}" in operation.path:
            allowed = {404}
        else:
            # What stands on its own is carried out, in their own organisation; what names things of ours is not.
            allowed = {200, 201, 404, 400, 409}
        assert answer.status_code in allowed, (operation, answer.status_code, answer.content)


def addresses(world: World, pattern: str) -> list[str]:
    """The addresses of a page for the things of a world."""
    things = world.things
    slug = {"agents": "clerk", "policies": "all", "tools": "papers"}.get(pattern.partition("/")[0], "x")
    values = {
        "<uuid:run_id>": things["runs"], "<uuid:request_id>": things["approvals"],
        "(?P<request_id>[0-9a-f-]{36})": things["approvals"], "<uuid:entry_id>": things["runs"],
        "<uuid:principal_id>": things["people"], "<uuid:grant_id>": things["grants"],
        "<uuid:key_id>": things["api-keys"], "<slug:slug>": slug, "(?P<slug>[-a-z0-9]+)": slug, "<int:number>": 1,
        r"(?P<name>[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)": "papers.search", "(?P<verb>accept|disable)": "disable",
        "(?P<verb>activate|suspend|retire)": "suspend", "(?P<answer>approve|deny)": "deny", "<str:token>": "x",
        "<uuid:session_id>": things["sessions"], "<uuid:other_id>": things["runs"],
        "<uuid:question_id>": things["questions"], "<uuid:callback_id>": things["callbacks"],
        "<uuid:artifact_id>": things["artifacts"], "<uuid:schedule_id>": things["schedules"],
        "<uuid:trigger_id>": things["triggers"], "(?P<schedule_id>[0-9a-f-]{36})": things["schedules"],
        "(?P<trigger_id>[0-9a-f-]{36})": things["triggers"], "(?P<verb>enable|disable|run|delete)": "disable",
        "(?P<verb>enable|disable|delete)": "disable",
    }  # fmt: skip
    address = pattern.replace("^", "").replace("$", "")
    for name, value in values.items():
        address = address.replace(name, str(value))
    assert not set("<(\\") & set(address), f"Give the matrix a value for {pattern}."
    return ["/" + address]


def pages() -> list[tuple[str, URLPattern]]:
    """Every guarded page."""
    return [(address, one) for address, one in routes() if not address.startswith("api/") and address not in EXEMPT]


def test_nobody_sees_a_page(worlds: tuple[World, World]) -> None:
    ours, _ = worlds
    for pattern, _one in pages():
        for address in addresses(ours, pattern):
            for method in ("GET", "POST"):
                answer = Client().generic(method, address)
                assert answer.status_code == 303, (method, address, answer.status_code)
                assert answer["Location"].startswith("/sign-in/"), address
                assert ours.canary not in answer.content.decode(), address


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_a_page_is_for_whoever_holds_its_permission(worlds: tuple[World, World], role: str) -> None:
    ours, _ = worlds
    client, held = signed_in(ours, role), ROLES.get(role, frozenset())
    for pattern, one in pages():
        page = one.callback.view_class  # type: ignore[attr-defined]
        for address in addresses(ours, pattern):
            answer = client.get(address)
            if page.personal:
                allowed = {200, 303, 404, 405}
            else:
                allowed = {200, 303, 404, 405, 400, 403} if page.permission in held else {403, 405}
            assert answer.status_code in allowed, (address, answer.status_code)
            if answer.status_code in {403, 404}:
                assert ours.canary not in _body(answer, ours), address


@pytest.mark.parametrize("role", ["administrator", "stranger"])
def test_the_pages_of_another_organisation_do_not_exist(worlds: tuple[World, World], role: str) -> None:
    ours, theirs = worlds
    client = signed_in(theirs, role)
    for pattern, _one in pages():
        for address in addresses(ours, pattern):
            for method in ("GET", "POST"):
                answer = client.generic(method, address)
                assert answer.status_code < 500, (method, address)
                assert ours.canary not in _text(answer), (method, address)


def signed_in(world: World, role: str) -> Client:
    """A browser of the person with a role."""
    with tenant(world.organisation.id):
        user = world.people[role].memberships.select_related("user").get().user
    client = Client()
    client.force_login(user, backend="foundation.identity.authentication.EmailBackend")
    return client


def _text(answer: Any) -> str:
    whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(whole.decode())


def _body(answer: Any, world: World) -> str:
    """Without the shell around it, which names the own organisation and person."""
    return _text(answer).partition("<main")[2]
