"""Roles, groups, reviews and the two questions over REST."""

from tests.foundation.api.world import World


def test_a_role_of_ones_own_is_made_given_and_deleted(world: World) -> None:
    api = world.api()
    made = api.post("/roles", {"slug": "starter", "name": "Starter", "permissions": ["run.view", "run.start"]})
    assert made.status_code == 201
    role = made.json()["id"]
    person, desk = str(world.people["stranger"].id), str(world.team.id)
    given = api.post("/grants", {"principal": person, "role": "starter", "target": desk})
    assert given.status_code == 201
    assert world.api("stranger").get("/runs").status_code == 200
    assert api.delete(f"/roles/{role}").status_code == 409
    assert api.patch(f"/roles/{role}", {"permissions": ["agent.view"]}).json()["permissions"] == ["agent.view"]
    assert world.api("stranger").get("/runs").status_code == 403
    assert api.delete(f"/grants/{given.json()['id']}").status_code == 204
    assert api.delete(f"/roles/{role}").status_code == 204
    assert {one["slug"] for one in api.get("/roles/built-in").json()["items"]} >= {"administrator", "viewer"}


def test_nobody_makes_a_role_of_what_they_lack(world: World) -> None:
    refused = world.api().post("/roles", {"slug": "r", "name": "R", "permissions": ["audit.read_bodies"]})
    assert refused.status_code == 403
    assert "You lack audit.read_bodies" in refused.json()["errors"]["permissions"][0]


def test_what_a_group_is_granted_counts_for_its_members(world: World) -> None:
    api, person = world.api(), str(world.people["stranger"].id)
    group = api.post("/groups", {"name": "Night shift"}).json()["id"]
    root = str(world.organisation.id)
    assert api.post("/grants", {"principal": group, "role": "viewer", "target": root}).status_code == 201
    assert world.api("stranger").get("/agents").status_code == 403
    assert api.post(f"/groups/{group}/add", {"member": person}).json()["source"] == "local"
    assert world.api("stranger").get("/agents").status_code == 200
    assert [one["member"]["id"] for one in api.get(f"/groups/{group}/members").json()["items"]] == [person]
    told = api.post("/access/why", {"principal": person, "permission": "agent.view"}).json()
    assert told["may"]
    assert told["paths"][0]["group"]["name"] == "Night shift"
    assert [node["id"] for node in told["paths"][0]["nodes"]] == [root]
    assert api.post(f"/groups/{group}/remove", {"member": person}).status_code == 200
    assert world.api("stranger").get("/agents").status_code == 403
    assert not api.post("/access/why", {"principal": person, "permission": "agent.view"}).json()["may"]


def test_who_may_do_something_here(world: World) -> None:
    told = world.api("auditor").post("/access/who", {"permission": "policy.manage"}).json()
    assert {path["principal"]["id"] for path in told["paths"]} == {str(world.people["administrator"].id)}


def test_a_review_over_rest(world: World) -> None:
    api, review = world.api(), str(world.things["reviews"])
    item = api.get(f"/reviews/{review}/items").json()["items"][0]
    assert (item["verdict"], item["role"]) == ("open", "viewer")
    assert api.post(f"/reviews/{review}/close", {}).status_code == 409
    decided = api.post(f"/reviews/{review}/decide", {"item": item["id"], "decision": "revoke", "note": "gone"})
    assert (decided.json()["verdict"], decided.json()["note"]) == ("revoked", "gone")
    assert api.post(f"/reviews/{review}/close", {}).json()["closed_at"] is not None
    assert api.get(f"/grants?principal={item['principal']['id']}").json()["items"] == []
