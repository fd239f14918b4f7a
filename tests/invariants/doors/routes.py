"""Every door of the product, read from its routes and its document: what stands where, and what it names."""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from django.urls import URLPattern, get_resolver
from drf_spectacular.generators import SchemaGenerator

from foundation.access.roles import Permission
from foundation.api.permissions import NamedPermission, permission_of
from foundation.web.pages import Page
from tests.foundation.api.world import BASE

# A route whose guard is not a named permission: who comes in, and what proves it. A reason that is no longer needed
# fails the suite, as a route without one does.
EXEMPT = {
    "api/schema/": "the document describes the product, and holds nobody's data",
    "api/v1/callbacks/<uuid:identifier>/call": "whoever calls it signs the call; the signature is the proof",
    "api/v1/triggers/<uuid:identifier>/call": "whoever calls it signs the call; the signature is the proof",
    "api/v1/token": "whoever calls it presents the token that is the proof (tests/console/test_token_exchange.py)",
    ".well-known/jwks.json": "public keys, for whoever checks a token of ours",
    ".well-known/oauth-authorization-server": "the addresses where tokens are exchanged, the same for everybody",
    "api/^.*$": "says that there is nothing at an address, and nothing else",
    "csp-report": "a browser reports what it blocked, from any page; nothing is kept but a line of log",
    "^scim/v2(?P<path>/.*)?$": "only the API key of who manages people; tests/console/test_scim_matrix.py asks it all",
    "theme": "a cookie of the visitor's own",
    "sign-in/": "whoever signs in is nobody yet",
    "sign-in/link/<str:token>/": "whoever signs in is nobody yet; the token is the proof",
    "sign-in/invitation/<str:token>/": "whoever joins is nobody yet; the token is the proof",
    "sign-in/code/": "whoever signs in is nobody yet; the password that was entered before is held in the session",
    "sign-in/passkey/": "whoever signs in is nobody yet; the passkey is the proof",
    "sign-in/again/": "asks whoever is signed in to prove it again, and sends nobody to the sign-in",
    "sign-in/with/": "whoever signs in is nobody yet; it tells which provider an e-mail domain has",
    "sign-in/with/<slug:slug>/": "the same",
    "sign-in/with/<slug:slug>/start/": "whoever signs in is nobody yet; it leads to the provider",
    "sign-in/with/<slug:slug>/callback/": "whoever signs in is nobody yet; what the provider has signed is the proof",
}
LAST = ("destroy", "retire")  # after these there is nothing left to act on


class Operation(NamedTuple):
    """One operation of the API."""

    name: str
    method: str
    path: str
    permission: Permission

    @property
    def noun(self) -> str:
        """The first part of its address below the API's."""
        return self.path.removeprefix(f"{BASE}/").partition("/")[0]

    @property
    def order(self) -> tuple[int, str]:
        """Reads first, then writes, what ends a thing last."""
        ends = self.name.endswith(LAST)
        return (2 if ends else int(self.method != "GET"), self.path)


class Door(NamedTuple):
    """One page: its address as the routes write it, and its class."""

    pattern: str
    page: type[Page]

    @property
    def noun(self) -> str:
        """What it is about: the first fixed part of its address, below the settings the second."""
        parts = [part for part in self.pattern.replace("^", "").split("/") if part and not set("<(\\") & set(part)]
        return (parts[1] if parts[:1] == ["settings"] and len(parts) > 1 else parts[0] if parts else "").rstrip("$")

    @property
    def methods(self) -> list[str]:
        """Those that it answers."""
        return [
            one.upper() for one in ("get", "post") if one in self.page.http_method_names and hasattr(self.page, one)
        ]

    def names(self, method: str) -> Permission | None:
        """The permission that a method needs; none for a page that is personal."""
        if self.page.personal:
            return None
        return self.page.permission if method == "GET" else self.page.writing or self.page.permission


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
        permission = permission_of(view, getattr(view, "action", None))
        if permission is not None:  # without one it is no guarded route, and stands in EXEMPT or fails
            found.append(Operation(operation["operationId"], method, path, permission))
    return sorted(found, key=lambda one: one.order)


@cache
def pages() -> list[Door]:
    """Every guarded page."""
    return [Door(address, one.callback.view_class) for address, one in routes()  # type: ignore[attr-defined]  # a page
            if is_guarded(one) and getattr(one.callback, "cls", None) is None]  # fmt: skip


def plain(address: str) -> str:
    """An address of the API as its document writes it."""
    for given, written in (
        ("(?P<id>[^/]+)", "{id}"),
        ("(?P<number>[0-9]{1,9})", "{number}"),
        ("(?P<other>[^/]+)", "{other}"),
        ("^", ""),
        ("$", ""),
    ):
        address = address.replace(given, written)
    return address.replace(r"\Z", "")
