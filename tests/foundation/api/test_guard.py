"""Who gets in: nobody without a key, nobody without the permission, nobody into another organisation."""

from tests.foundation.api.world import Api, World, make_organisation


def test_without_a_key_nothing_is_told(nobody: Api) -> None:
    answer = nobody.get("/runs")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:remit:problem:unauthenticated"


def test_the_missing_permission_is_named(world: World) -> None:
    answer = world.api("viewer").get("/audit")
    assert answer.status_code == 403
    said = answer.json()
    assert said["permission"] == "audit.view"
    assert "administrator" in said["detail"]
    assert said["request_id"] == answer["X-Request-Id"]


def test_another_organisation_is_unknown(world: World) -> None:
    other = make_organisation("other")
    answer = other.api().get(f"/runs/{world.things['runs']}")
    assert answer.status_code == 404


def test_the_own_is_seen(world: World) -> None:
    answer = world.api("viewer").get(f"/runs/{world.things['runs']}")
    assert answer.status_code == 200
    assert answer.json()["agent"]["slug"] == "clerk"
