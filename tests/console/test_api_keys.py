"""API keys over REST: shown once, for oneself or a weaker service, gone when revoked."""

from datetime import UTC, datetime, timedelta

from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.identity.models import Principal
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import Api, World

__all__ = ["world"]


def test_a_key_is_shown_once_and_works(world: World) -> None:
    api = world.api("operator")
    made = api.post("/api-keys", {"name": "script"})
    assert made.status_code == 201
    key = made.json()["key"]
    assert Api(key).get("/runs").status_code == 200
    shown = api.get(f"/api-keys/{made.json()['id']}")
    assert "key" not in shown.json()
    assert key not in shown.content.decode()


def test_a_revoked_key_opens_nothing(world: World) -> None:
    api = world.api("operator")
    made = api.post("/api-keys", {"name": "script"}).json()
    assert api.delete(f"/api-keys/{made['id']}").status_code == 204
    assert Api(made["key"]).get("/runs").status_code == 401


def test_scopes_narrow(world: World) -> None:
    key = world.api("administrator").post("/api-keys", {"name": "narrow", "scopes": ["team.view"]}).json()["key"]
    assert Api(key).get("/teams").status_code == 200
    assert Api(key).get("/runs").json()["permission"] == "run.view"


def test_nobody_makes_a_key_for_another_person(world: World) -> None:
    body = {"name": "x", "principal": str(world.people["viewer"].id)}
    assert world.api("administrator").post("/api-keys", body).status_code == 403


def test_nobody_makes_a_key_for_a_service_that_may_more(world: World) -> None:
    with tenant(world.organisation.id):
        service = Principal.objects.get(pk=world.things["services"])
        root = GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=service, role="administrator", target=root)
    body = {"name": "x", "principal": str(service.id)}
    answer = world.api("builder").post("/api-keys", body)
    assert answer.status_code == 403
    assert "principal" in answer.json()["errors"]
    assert world.api("administrator").post("/api-keys", body).status_code == 201


def test_one_sees_the_own_keys_and_an_administrator_all(world: World) -> None:
    with tenant(world.organisation.id):
        Grant.objects.filter(principal=world.people["operator"]).delete()
        grant(
            actor=world.shell, principal=world.people["operator"], role="operator",
            target=GrantTarget.objects.get(pk=world.team.id),
        )  # fmt: skip
    own = world.api("operator").get("/api-keys").json()["items"]
    assert {key["principal"]["id"] for key in own} == {str(world.people["operator"].id)}
    theirs = world.things["api-keys"]
    assert world.api("operator").delete(f"/api-keys/{theirs}").status_code == 404
    assert world.api("administrator").get(f"/api-keys/{theirs}").status_code == 200


def test_a_key_rotates_with_an_overlap(world: World) -> None:
    api = world.api("operator")
    made = api.post("/api-keys", {"name": "script", "scopes": ["run.view"]}).json()
    answer = api.post(f"/api-keys/{made['id']}/rotate", {"overlap": 60})
    assert answer.status_code == 201, answer.content
    for key in (made["key"], answer.json()["key"]):
        assert Api(key).get("/runs").status_code == 200
        assert Api(key).get("/teams").status_code == 403
    former = api.get(f"/api-keys/{made['id']}").json()
    assert former["successor"] == answer.json()["id"]
    assert former["expires_at"] is not None
    assert api.post(f"/api-keys/{made['id']}/rotate").status_code == 409
    last = api.post(f"/api-keys/{answer.json()['id']}/rotate", {"overlap": 0}).json()
    assert Api(answer.json()["key"]).get("/runs").status_code == 401
    assert Api(last["key"]).get("/runs").status_code == 200
    assert world.api().post(f"/api-keys/{last['id']}/rotate").status_code == 403  # another person's


def test_what_a_key_makes_names_it_and_ends_with_it(world: World) -> None:
    api = world.api("administrator")
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    maker = api.post("/api-keys", {"name": "short", "scopes": ["key.manage"], "expires_at": ends}).json()
    made = Api(maker["key"]).post("/api-keys", {"name": "for ever", "scopes": ["key.manage"]})
    assert made.status_code == 201, made.content
    assert (made.json()["made_by"], made.json()["expires_at"]) == (maker["id"], maker["expires_at"])
    assert Api(made.json()["key"]).get("/api-keys").status_code == 200
    assert api.delete(f"/api-keys/{maker['id']}").status_code == 204
    assert Api(made.json()["key"]).get("/api-keys").status_code == 401
