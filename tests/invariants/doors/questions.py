"""What can be asked beside the plain addresses, and what was answered: for the tests that look for canaries."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from drf_spectacular.generators import SchemaGenerator

from tests.foundation.api.world import World
from tests.invariants.doors.routes import routes
from tests.invariants.doors.seats import undone


class Asked(NamedTuple):
    """One question and its answer."""

    address: str
    status: int
    said: str


def answered(what: str, ask: Callable[[], Any]) -> Asked:
    """The whole answer to a question; what it changes is undone."""
    with undone():
        answer = ask()
        whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return Asked(what, answer.status_code, f"{dict(answer.items())} {whole.decode(errors='replace')}")


def parameters() -> Iterator[tuple[str, str]]:
    """Every parameter by which a list of the document can be narrowed."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for path, methods in paths.items():
        for one in methods.get("get", {}).get("parameters", []):
            if one["in"] == "query" and "{" not in path:
                yield path, one["name"]


def scim(ours: World, wanted: str) -> Iterator[str]:
    """What a directory asks, where there is such a door; among it who is called as `wanted`."""
    if not any(address.startswith("^scim/v2") for address, _ in routes()):
        return
    for kind in ("Users", "Groups"):
        yield f"/scim/v2/{kind}"
        yield f"/scim/v2/{kind}?" + urlencode({"filter": f'displayName co "{wanted}"'})
        for name in ("people", "groups"):
            yield f"/scim/v2/{kind}/{ours.things.get(name)}"
