"""Whatever stands in the query of an address, the answer says what is wrong: it is no error of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from drf_spectacular.generators import SchemaGenerator

from tests.console.pages import Visit, visit
from tests.console.test_every_page import PAGES, address
from tests.foundation.api.world import World, furnish, make_organisation

__all__ = ["visit"]

HOSTILE = {
    "no UTF-8": "%FF%FE",
    "half a character": "%ED%A0%80",
    "very long": "a" * 50_000,
    "a large number": "9" * 40,
    "digits of another script": "%D9%A3",
    "an id of nothing": "01890000-0000-7000-8000-000000000000",
}
NUL = "01890000-0000-7000-8000-00000000000%00"
NAMES = (
    "after", "again", "agent", "all", "action", "before", "email", "for", "format", "from", "group", "kind", "limit",
    "next", "outcome", "part", "permission", "principal", "q", "range", "relation", "risk", "run", "session", "state",
    "status", "step", "target", "version", "view", "waits",
)  # fmt: skip
OPEN = ("/sign-in/", "/sign-in/with/", "/sign-in/code/", "/sign-in/again/")  # to nobody in particular


@pytest.fixture(scope="module")
def world(django_db_blocker: Any) -> Iterator[World]:
    """One organisation for all pages: they are only looked at."""
    with django_db_blocker.unblock():
        yield furnish(make_organisation("queries"))
        connections.close_all()


@pytest.mark.parametrize("path", sorted({*OPEN, *(path.partition("?")[0] for path in PAGES)}))
def test_no_query_breaks_a_page(world: World, visit: Visit, path: str) -> None:
    here = address(path, world)
    for what, value in {**HOSTILE, "NUL": NUL}.items():
        answer = visit(f"{here}?{'&'.join(f'{name}={value}' for name in NAMES)}")
        assert answer.status_code < 500, what
        assert "The database refused" not in answer.content.decode(), what


@pytest.mark.parametrize("name", ["q", "agent", "before", "step", "x"])
def test_a_nul_in_an_address_is_told(world: World, visit: Visit, name: str) -> None:
    for path in ("/runs/", "/sessions/", "/schedules/", "/triggers/", "/agents/", "/approvals/", "/audit/", "/search"):
        answer = visit(f"{path}?{name}=a%00b")
        assert (answer.status_code, "holds a NUL" in answer.content.decode()) == (400, True), path


def _lists() -> Iterator[tuple[str, str]]:
    paths: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for path, operations in paths.items():
        for one in operations.get("get", {}).get("parameters", []):
            if one["in"] == "query":
                yield path, one["name"]


@pytest.mark.parametrize(("path", "name"), list(_lists()))
def test_no_query_breaks_an_endpoint(world: World, path: str, name: str) -> None:
    noun = path.split("/")[3]
    here = path.replace("{id}", str(world.things.get(noun, "x")))
    assert "{" not in here
    for what, value in {"very long": "a" * 50_000, "a large number": "9" * 40, "NUL": NUL}.items():
        answer = world.api().get(f"{here}?{name}={value}")
        assert answer.status_code < 500, what
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json", what
