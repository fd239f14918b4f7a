"""Leaving an organisation by oneself: it ends here, other organisations stay, and the last administrator cannot."""

from typing import Any

import pytest

from foundation.identity.authentication import actor_of_session
from foundation.identity.models import Principal
from foundation.identity.services import add_person
from tests.foundation.identity.household import PASSWORD, Household, away, make_household

SURE = {"sure": "on", "reason": "a new job"}


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


def test_whoever_leaves_goes_on_elsewhere(household: Household):
    other, user = make_household("Elsewhere"), household.user(household.member)
    with other.in_tenant():
        add_person(actor=other.shell, organisation=other.organisation, email=user.email, name="Member")
    client = away()
    client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    client.post("/organisation/", {"organisation": str(household.organisation.id)})
    assert client.get("/settings/security/leave/").status_code == 200
    assert client.post("/settings/security/leave/", {"reason": "unsure"}).status_code == 422
    assert client.post("/settings/security/leave/", SURE).status_code == 303
    actor = actor_of_session(client.session)
    assert actor is not None
    assert actor.organisation == other.organisation.id
    with household.in_tenant():
        assert Principal.objects.get(pk=household.member.principal_id).state == "left"
    assert household.entries("person.leave")[0].reason == "a new job"


def test_the_last_administrator_stays(household: Household):
    client = away()
    client.post("/sign-in/", {"email": household.user(household.owner).email, "password": PASSWORD})
    answer = client.post("/settings/security/leave/", SURE)
    assert answer.status_code == 422
    assert "last administrator" in answer.content.decode()
