"""The browsers in which one is signed in, over REST: one's own, by a browser's session or by one's key."""

from typing import Any

import pytest

from foundation.access.services import grant
from foundation.actors import Actor, ActorKind, AuthenticationMethod
from foundation.federation.connection import Claims
from foundation.federation.services import add_provider, change_provider
from foundation.federation.sign_in import admit
from foundation.identity.services import create_api_key
from foundation.identity.sessions import own_user
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget
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


def key_of(household: Household) -> Api:
    with household.in_tenant():
        return Api(create_api_key(actor=household.shell, principal=household.owner.principal, name="k")[1])


def listed(client: Any) -> dict[str, Any]:
    answer = client.get(f"{BASE}/browsers")
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


def test_no_key_shows_or_ends_a_browser_and_is_told_where_it_is_done(household: Household):
    client, api = signed_in(household, "Here/1"), key_of(household)
    identifier = listed(client)["Here/1"]["id"]
    for answer in (api.get("/browsers"), api.delete(f"/browsers/{identifier}"), api.post("/browsers/end-others")):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:remit:problem:refused")
        assert "Settings → Security" in answer.json()["detail"]
        assert identifier not in answer.content.decode()
    assert client.get("/settings/").status_code == 200
    assert household.entries("person.end_session") == []
    assert len(household.entries("access.refuse", "denied")) == 3


def test_an_organisation_sees_and_ends_no_browser_of_another(household: Household):
    """Whoever runs a provider comes in as anybody, makes a key as that person, and switches the provider off again."""
    client, evil = signed_in(household, "Victims/1"), make_household("Elsewhere")
    email = household.user(household.owner).email
    with evil.in_tenant():
        row = add_provider(actor=evil.shell, slug=f"id-{uuid7().hex[-12:]}", name="Provider", secret="s",
                           issuer="https://id.example.org", client_id="remit", domains=["example.org"])  # fmt: skip
        claims = Claims(subject="1", email=email, name="V", groups=frozenset())
        made = admit(actor=evil.shell, provider=row, claims=claims)
        root = GrantTarget.objects.get(pk=evil.organisation.id)
        grant(actor=evil.shell, principal=made.principal, role="builder", target=root)
        there = Actor(kind=ActorKind.PERSON, name="V", principal=made.principal_id, user=made.user_id,
                      organisation=evil.organisation.id, method=AuthenticationMethod.SINGLE_SIGN_ON)  # fmt: skip
        api = Api(create_api_key(actor=evil.shell, principal=made.principal, name="k")[1])
        assert own_user(there) is None
        change_provider(actor=evil.shell, provider=row, is_active=False)
        assert own_user(there) is None
    for answer in (api.get("/browsers"), api.get("/factors"), api.post("/browsers/end-others")):
        assert answer.status_code == 403, answer.content
        assert "Victims/1" not in answer.content.decode()
    assert client.get("/settings/").status_code == 200


def test_a_browser_ends_all_others_but_itself(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    assert here.post(f"{BASE}/browsers/end-others").json() == {"ended": 1}
    assert there.get("/runs/").status_code == 303
    assert list(listed(here)) == ["Here/1"]


def test_nobody_ends_the_browser_of_another(household: Household):
    theirs, here = signed_in(household, "Member/1", "member"), signed_in(household, "Here/1")
    give_a_role(household, "viewer")
    assert here.delete(f"{BASE}/browsers/{listed(theirs)['Member/1']['id']}").status_code == 404
    assert theirs.get("/settings/").status_code == 200


def give_a_role(household: Household, role: str) -> None:
    with household.in_tenant():
        root = GrantTarget.objects.get(pk=household.organisation.id)
        grant(actor=household.shell, principal=household.member.principal, role=role, target=root)


def test_whoever_only_looks_ends_nothing(household: Household):
    theirs = signed_in(household, "Member/1", "member")
    give_a_role(household, "viewer")
    identifier = listed(theirs)["Member/1"]["id"]
    for answer in (theirs.delete(f"{BASE}/browsers/{identifier}"), theirs.post(f"{BASE}/browsers/end-others")):
        assert (answer.status_code, answer.json()["permission"]) == (403, "key.manage")
    assert theirs.get("/settings/").status_code == 200
