"""Leaving an organisation over REST: by oneself, surely, with a key that is not narrowed; the last one stays."""

from foundation.identity.models import Principal
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import Api, World

__all__ = ["world"]
SURE = {"sure": True, "reason": "a new job"}


def state(world: World, role: str) -> str:
    with tenant(world.organisation.id):
        return Principal.objects.get(pk=world.people[role].pk).state


def test_one_leaves_for_good(world: World) -> None:
    api = world.api("operator")
    assert api.post("/organisation/leave", {}).status_code == 400
    assert api.post("/organisation/leave", {"sure": False}).status_code == 400
    narrow = api.post("/api-keys", {"name": "narrow", "scopes": ["organisation.view"]}).json()["key"]
    assert "narrowed" in Api(narrow).post("/organisation/leave", SURE).json()["detail"]
    assert state(world, "operator") == "active"
    assert api.post("/organisation/leave", SURE).status_code == 204
    assert state(world, "operator") == "left"
    assert api.get("/organisation").status_code == 401


def test_the_last_administrator_stays(world: World) -> None:
    answer = world.api("administrator").post("/organisation/leave", SURE)
    assert answer.status_code == 400
    assert "last administrator" in answer.json()["detail"]
