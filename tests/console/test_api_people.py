"""People, services, teams and grants over REST."""

from foundation.identity.models import Membership
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import bare, world
from tests.foundation.api.world import World

__all__ = ["bare", "world"]


def test_a_person_is_suspended_and_restored(bare: World) -> None:
    api = bare.api()
    path = f"/people/{bare.people['viewer'].id}"
    assert api.post(f"{path}/suspend", {"reason": "Left."}).json()["state"] == "suspended"
    assert api.post(f"{path}/restore").json()["state"] == "active"


def test_nobody_is_added_without_saying_so_and_no_answer_tells_who_is_known(bare: World, world: World) -> None:
    """Whoever is known elsewhere is asked as a stranger is, and belongs nowhere before accepting."""
    with tenant(world.organisation.id):
        known = Membership.objects.get(principal=world.people["viewer"]).user.email
    api, answers = bare.api(), []
    for email in (known, f"{uuid7()}@example.org"):
        assert api.post("/people", {"email": email, "name": "Ada"}).status_code == 405
        made = api.post("/invitations", {"email": email, "name": "Ada"})
        assert made.status_code == 201, made.content
        answers.append({name: made.json()[name] for name in ("email", "name", "role", "accepted_at", "target")})
        answers[-1].pop("email")
    assert answers[0] == answers[1]
    assert answers[0]["role"] == ""
    with tenant(bare.organisation.id):
        assert not Membership.objects.filter(organisation=bare.organisation, user__email=known).exists()


def test_nobody_suspends_themself(bare: World) -> None:
    path = f"/people/{bare.people['administrator'].id}/suspend"
    assert bare.api().post(path, {"reason": "Tired."}).status_code == 400


def test_a_suspended_person_has_no_key(bare: World) -> None:
    bare.api().post(f"/people/{bare.people['viewer'].id}/suspend", {"reason": "Left."})
    assert bare.api("viewer").get("/teams").status_code == 401


def test_a_service_is_no_person(bare: World) -> None:
    api = bare.api()
    made = api.post("/services", {"name": "Robot"}).json()
    assert api.get(f"/services/{made['id']}").status_code == 200
    assert api.get(f"/people/{made['id']}").status_code == 404


def test_a_grant_opens_and_its_end_closes(bare: World) -> None:
    api, stranger = bare.api(), bare.api("stranger")
    assert stranger.get("/teams").status_code == 403
    body = {"principal": str(bare.people["stranger"].id), "role": "viewer", "target": str(bare.team.id)}
    made = api.post("/grants", body)
    assert made.status_code == 201, made.content
    assert made.json()["target"] == {"id": str(bare.team.id), "kind": "team", "name": bare.canary}
    assert stranger.get("/teams").status_code == 200
    assert api.post("/grants", body).status_code == 409
    assert api.delete(f"/grants/{made.json()['id']}").status_code == 204
    assert stranger.get("/teams").status_code == 403


def test_nobody_gives_more_than_they_hold(bare: World) -> None:
    body = {
        "principal": str(bare.people["stranger"].id), "role": "administrator", "target": str(bare.organisation.id)
    }  # fmt: skip
    answer = bare.api("team-lead").post("/grants", body)
    assert answer.status_code == 403
    assert "role" in answer.json()["errors"]


def test_the_last_administrator_stays(bare: World) -> None:
    grants = bare.api().get("/grants?role=administrator").json()["items"]
    assert len(grants) == 1
    assert bare.api().delete(f"/grants/{grants[0]['id']}").status_code == 400


def test_a_team_below_a_team(bare: World) -> None:
    api = bare.api()
    made = api.post("/teams", {"slug": "below", "name": "Below", "parent": "desk"})
    assert made.json()["parent"] == str(bare.team.id)
    assert api.patch("/teams/below", {"name": "Beneath"}).json()["name"] == "Beneath"


def test_the_organisation_is_the_own(bare: World) -> None:
    assert bare.api("viewer").get("/organisation").json()["id"] == str(bare.organisation.id)


def test_a_person_is_offboarded_to_a_successor(world: World) -> None:
    api, builder, lead = world.api(), world.people["builder"].id, world.people["team-lead"].id
    held = api.get(f"/people/{builder}/belongings").json()
    assert [len(held[name]) for name in ("agents", "schedules", "triggers", "keys", "grants")] == [0, 1, 1, 1, 1]
    nobody = {"successor": str(world.things["services"]), "reason": "A new job."}
    assert api.post(f"/people/{builder}/offboard", nobody).status_code == 400
    answer = api.post(f"/people/{builder}/offboard", {"successor": str(lead), "reason": "A new job."})
    assert answer.json()["state"] == "left", answer.content
    assert api.get(f"/schedules/{world.things['schedules']}").json()["owner"]["id"] == str(lead)
    assert world.api("builder").get("/teams").status_code == 401
    assert api.post(f"/people/{builder}/restore").status_code == 409
    assert world.api("viewer").post(f"/people/{builder}/offboard", nobody).status_code == 403
