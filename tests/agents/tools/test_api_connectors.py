"""Connectors, tools and credentials over REST."""

from agents.tools.models import Tool
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import bare, world
from tests.foundation.api.world import World

__all__ = ["bare", "world"]


def test_a_connector_brings_its_tools(bare: World) -> None:
    api = bare.api()
    body = {"slug": "papers", "name": "Papers", "kind": "documents", "settings": {"documents": {"a": "A"}}}
    assert api.post("/connectors", body).status_code == 201
    tools = api.get("/tools").json()["items"]
    assert {tool["name"] for tool in tools} == {"papers.search", "papers.read"}
    assert {tool["state"] for tool in tools} == {"active"}


def test_an_unknown_kind_names_those_that_are_known(bare: World) -> None:
    answer = bare.api().post("/connectors", {"slug": "x", "name": "X", "kind": "telepathy"})
    assert answer.status_code == 400
    assert "documents" in answer.json()["errors"]["kind"][0]


def test_a_secret_goes_in_and_never_out(world: World) -> None:
    api = world.api()
    assert api.post("/credentials", {"name": "second", "secret": "canary-secret"}).status_code == 201
    for path in ("/credentials", "/connectors", "/tools"):
        said = api.get(path).content.decode()
        assert "canary-secret" not in said
        assert f"secret-{world.canary}" not in said


def test_a_tool_whose_definition_changed_waits_for_a_person(world: World) -> None:
    api, tool = world.api(), world.things["tools"]
    with tenant(world.organisation.id):
        Tool.objects.filter(pk=tool).update(definition_hash="sha256:former", description="Former.")
    refreshed = api.post("/connectors/papers/refresh")
    assert refreshed.status_code == 200
    assert refreshed.json()["next"] is None
    states = {one["name"]: one["state"] for one in refreshed.json()["items"]}
    assert states == {"papers.search": "in_review", "papers.read": "active"}
    assert api.post(f"/tools/{tool}/accept").json()["state"] == "active"
    assert api.post(f"/tools/{tool}/accept").status_code == 409


def test_a_disabled_tool_says_so(world: World) -> None:
    answer = world.api("administrator").post(f"/tools/{world.things['tools']}/disable")
    assert answer.json()["state"] == "disabled"
