"""One's own second factors over REST: listed by a browser, removed by one that was confirmed of late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from foundation.identity.authentication import SINCE_KEY
from foundation.identity.lookups import seeing_as
from foundation.identity.models import Membership
from foundation.identity.services import create_api_key
from tests.foundation.api.world import BASE, Api
from tests.foundation.identity.household import PASSWORD, Household, away, make_household


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


def signed_in(household: Household) -> Any:
    client = away()
    email = household.user(household.owner).email
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 303
    return client


def key_of(household: Household, membership: Membership) -> Api:
    with household.in_tenant():
        return Api(create_api_key(actor=household.shell, principal=membership.principal, name="k")[1])


def give_app(household: Household) -> int:
    user = household.user(household.owner)
    with seeing_as(user.id):
        return int(TOTP.activate(user, generate_totp_secret()).instance.pk)


def factors(household: Household) -> int:
    user = household.user(household.owner)
    with seeing_as(user.id):
        return Authenticator.objects.filter(user_id=user.id).count()


def test_they_are_listed_without_their_secrets(household: Household):
    client, number = signed_in(household), give_app(household)
    [one] = client.get(f"{BASE}/factors").json()["items"]
    assert (one["number"], one["kind"], one["name"]) == (number, "totp", "")
    assert set(one) == {"number", "kind", "name", "created_at", "last_used_at"}


def test_a_key_is_shown_none(household: Household):
    give_app(household)
    answer = key_of(household, household.owner).get("/factors")
    assert answer.status_code == 403
    assert "Settings → Security" in answer.json()["detail"]
    assert "totp" not in answer.content.decode()


def test_a_browser_removes_one(household: Household):
    client, number = signed_in(household), give_app(household)
    assert client.post(f"{BASE}/factors/{number}/remove").status_code == 204
    assert factors(household) == 0
    assert household.entries("person.remove_factor")[-1].details["factor"] == "totp"
    assert client.post(f"{BASE}/factors/{number}/remove").status_code == 409


def test_a_browser_that_came_in_long_ago_is_refused(household: Household):
    client, number = signed_in(household), give_app(household)
    session = client.session
    session[SINCE_KEY] = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
    session.save()
    answer = client.post(f"{BASE}/factors/{number}/remove")
    assert answer.status_code == 403
    assert "sign-in within the last 10 minutes" in answer.json()["detail"]
    assert factors(household) == 1


def test_a_key_removes_none_and_is_told_where_it_is_done(household: Household):
    number = give_app(household)
    answer = key_of(household, household.owner).post(f"/factors/{number}/remove")
    assert answer.status_code == 403
    assert "Settings → Security" in answer.json()["detail"]
    assert answer.json()["type"] == "urn:remit:problem:refused"
    assert factors(household) == 1
    assert "Settings → Security" in household.entries("access.refuse", "denied")[-1].reason


def test_nobody_removes_that_of_another(household: Household):
    number = give_app(household)
    client = away()
    key = key_of(household, household.owner)
    given = {
        "principal": str(household.member.principal_id),
        "role": "builder",
        "target": str(household.organisation.id),
    }
    assert key.post("/grants", given).status_code == 201
    client.post("/sign-in/", {"email": household.user(household.member).email, "password": PASSWORD})
    assert client.get(f"{BASE}/factors").json()["items"] == []
    assert client.post(f"{BASE}/factors/{number}/remove").status_code == 409
    assert factors(household) == 1
