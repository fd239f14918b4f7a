"""The browsers in which one is signed in, over REST: one's own, by a browser's session or by one's key."""

from typing import Any

import pytest

from foundation.federation.services import add_provider
from foundation.identity.services import create_api_key, create_service
from foundation.ids import uuid7
from foundation.organisations.models import Organisation
from tests.foundation.api.world import BASE, Api
from tests.foundation.identity.household import PASSWORD, Household, away, make_household


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


def signed_in(household: Household, name: str, who: str = "owner") -> Any:
    client = away(headers={"User-Agent": name})
    email = household.user(getattr(household, who)).email
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 303
    return client


def key_of(household: Household, who: str = "owner") -> Api:
    with household.in_tenant():
        return Api(create_api_key(actor=household.shell, principal=getattr(household, who).principal, name="k")[1])


def listed(client: Any) -> dict[str, Any]:
    address = f"{BASE}/browsers" if hasattr(client, "session") else "/browsers"
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return {one["browser"]: one for one in answer.json()["items"]}


def test_a_browser_lists_its_persons_browsers_and_ends_one(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    signed_in(household, "Others/3", "member")
    found = listed(here)
    assert {name: one["current"] for name, one in found.items()} == {"Here/1": True, "There/2": False}
    assert "key" not in found["Here/1"]
    assert here.delete(f"{BASE}/browsers/{found['There/2']['id']}").status_code == 204
    assert there.get("/runs/").status_code == 303
    assert here.get("/runs/").status_code == 200
    assert here.delete(f"{BASE}/browsers/x").status_code == 404


def test_a_key_lists_and_ends_its_persons_browsers(household: Household):
    client, api = signed_in(household, "Here/1"), key_of(household)
    found = listed(api)
    assert found["Here/1"]["current"] is False
    assert api.delete(f"/browsers/{found['Here/1']['id']}").status_code == 204
    assert client.get("/runs/").status_code == 303
    last = household.entries("person.end_session")[-1]
    assert (last.target_id, last.details["browser"]) == (household.owner.user_id, "Here/1")
    signed_in(household, "Again/2")
    assert api.post("/browsers/end-others").json() == {"ended": 1}
    assert listed(api) == {}
    assert household.entries("person.end_session")[-1].target_id == household.owner.user_id


def test_a_browser_ends_all_others_but_itself(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    assert here.post(f"{BASE}/browsers/end-others").json() == {"ended": 1}
    assert there.get("/runs/").status_code == 303
    assert list(listed(here)) == ["Here/1"]


def test_nobody_ends_the_browser_of_another(household: Household):
    theirs, api = signed_in(household, "Member/1", "member"), key_of(household)
    with household.in_tenant():
        service = create_service(actor=household.shell, organisation=household.organisation, name="Robot")
        robot = Api(create_api_key(actor=household.shell, principal=service, name="k")[1])
    identifier = listed(key_with_a_role(household))["Member/1"]["id"]
    assert api.delete(f"/browsers/{identifier}").status_code == 404
    assert robot.delete(f"/browsers/{identifier}").status_code == 403
    assert theirs.get("/settings/").status_code == 200


def key_with_a_role(household: Household) -> Api:
    owner, member = key_of(household), household.member.principal_id
    given = {"principal": str(member), "role": "viewer", "target": str(household.organisation.id)}
    assert owner.post("/grants", given).status_code == 201
    return key_of(household, "member")


def test_whoever_only_looks_ends_nothing(household: Household):
    theirs = signed_in(household, "Member/1", "member")
    viewer = key_with_a_role(household)
    identifier = listed(viewer)["Member/1"]["id"]
    for answer in (viewer.delete(f"/browsers/{identifier}"), viewer.post("/browsers/end-others")):
        assert (answer.status_code, answer.json()["permission"]) == (403, "key.manage")
    assert theirs.get("/settings/").status_code == 200


def test_a_key_where_a_provider_lets_people_in_sees_and_ends_no_browser(household: Household):
    client, api = signed_in(household, "Here/1"), key_of(household)
    with household.in_tenant():
        place = Organisation.objects.get(pk=household.organisation.id)
        add_provider(actor=household.shell, slug=f"id-{place.slug[-12:]}", name="Provider", secret="s",
                     issuer="https://id.example.org", client_id="remit",
                     domains=[f"{uuid7().hex[-12:]}.example"])  # fmt: skip
    identifier = listed(client)["Here/1"]["id"]
    assert listed(api) == {}
    assert api.delete(f"/browsers/{identifier}").status_code == 404
    assert api.post("/browsers/end-others").status_code == 400
    assert client.get("/runs/").status_code == 200
