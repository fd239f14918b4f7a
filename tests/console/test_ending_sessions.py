"""An administrator ends all sessions of a person: in its own organisation at once, and in no other."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session

from foundation.identity.authentication import actor_of_session
from foundation.identity.lookups import seeing_as
from foundation.identity.models import Membership, WebSession
from foundation.identity.services import add_person, create_api_key
from tests.foundation.api.world import Api
from tests.foundation.identity.household import PASSWORD, Household, away, make_household
from tests.workers import superuser


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


def sign_in(household: Household, membership: Membership) -> Any:
    client = away()
    answer = client.post("/sign-in/", {"email": household.user(membership).email, "password": PASSWORD})
    assert answer.status_code == 303
    return client


def key_of(household: Household) -> Api:
    with household.in_tenant():
        return Api(create_api_key(actor=household.shell, principal=household.owner.principal, name="k")[1])


def end(household: Household) -> Any:
    return key_of(household).post(f"/people/{household.member.principal_id}/end-sessions")


def sessions(household: Household) -> int:
    with seeing_as(household.member.user_id):
        return WebSession.objects.count()


def test_whoever_belongs_here_alone_is_signed_out_everywhere(household: Household):
    theirs, own = sign_in(household, household.member), sign_in(household, household.owner)
    assert end(household).status_code == 204
    assert theirs.get("/settings/").status_code == 303
    assert own.get("/settings/").status_code == 200
    assert sessions(household) == 0
    assert not Session.objects.filter(session_key=theirs.session.session_key).exists()
    told = household.entries("person.end_session")[-1]
    assert (told.target_id, told.actor_name) == (household.member.principal_id, "Owner")
    assert set(told.details) == {"api_key"}


def test_whoever_belongs_elsewhere_too_stays_signed_in_there(household: Household):
    other = make_household("Elsewhere")
    with other.in_tenant():
        email = household.user(household.member).email
        add_person(actor=other.shell, organisation=other.organisation, email=email, name="Guest")
    client = sign_in(household, household.member)
    client.post("/organisation/", {"organisation": str(household.organisation.id)})
    assert actor_of_session(client.session).organisation == household.organisation.id
    assert end(household).status_code == 204
    assert actor_of_session(client.session).organisation == other.organisation.id
    assert client.get("/settings/").status_code == 200
    client.post("/organisation/", {"organisation": str(household.organisation.id)})
    assert actor_of_session(client.session).organisation == other.organisation.id
    assert sessions(household) == 1
    # It is told of no other organisation.
    assert set(household.entries("person.end_session")[-1].details) == {"api_key"}


def test_what_was_meant_for_the_one_does_not_land_in_the_other(household: Household):
    other = make_household("Elsewhere")
    with other.in_tenant():
        email = household.user(household.member).email
        add_person(actor=other.shell, organisation=other.organisation, email=email, name="Guest")
    client = sign_in(household, household.member)
    client.post("/organisation/", {"organisation": str(household.organisation.id)})
    assert end(household).status_code == 204
    answer = client.post("/settings/keys/", {"name": "Meant for the first"})
    assert answer.status_code == 409
    assert "signed out of the organisation" in answer.content.decode()
    assert actor_of_session(client.session).organisation == other.organisation.id
    assert len(other.entries("access.refuse", "denied")) == 1
    assert client.get("/settings/").status_code == 200
    assert client.post("/settings/keys/", {"name": "Meant for this"}).status_code != 409


def test_who_proves_anew_who_it_is_may_come_back(household: Household):
    other = make_household("Elsewhere")
    with other.in_tenant():
        email = household.user(household.member).email
        add_person(actor=other.shell, organisation=other.organisation, email=email, name="Guest")
    client = sign_in(household, household.member)
    assert end(household).status_code == 204
    assert client.post("/sign-in/again/", {"password": PASSWORD}).status_code == 303
    client.post("/organisation/", {"organisation": str(household.organisation.id)})
    assert actor_of_session(client.session).organisation == household.organisation.id
    fresh = sign_in(household, household.member)
    assert actor_of_session(fresh.session) is not None


def test_the_page_of_a_person_does_it_too(household: Household):
    theirs, own = sign_in(household, household.member), sign_in(household, household.owner)
    page = f"/settings/people/{household.member.principal_id}/"
    assert "Sign out everywhere here" in own.get(page).content.decode()
    assert own.post(f"{page}end-sessions/")["Location"] == page
    assert theirs.get("/settings/").status_code == 303


def test_open_streams_look_again_at_once(household: Household):
    with superuser() as listening:
        listening.execute("LISTEN remit_access")
        assert end(household).status_code == 204
        heard = [one.payload for one in listening.notifies(timeout=10, stop_after=1)]
    assert heard == [str(household.organisation.id)]


def test_whoever_does_not_sign_in_here_is_no_person_of_ours(household: Household):
    other = make_household("Elsewhere")
    assert key_of(household).post(f"/people/{other.member.principal_id}/end-sessions").status_code == 404
