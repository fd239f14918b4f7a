"""The browsers in which one is signed in: each is listed, and each can be signed out at once."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session

from foundation.identity.lookups import seeing_as
from foundation.identity.models import WebSession
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


def rows(household: Household) -> list[WebSession]:
    user = household.user(household.owner)
    with seeing_as(user.id):
        return list(WebSession.objects.order_by("id"))


def test_each_browser_is_listed_and_can_be_signed_out(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    signed_in(household, "Others/3", "member")
    page = here.get("/settings/security/").content.decode()
    assert "Here/1" in page
    assert "There/2" in page
    assert "Others/3" not in page
    _, second = rows(household)
    assert (second.browser, second.method) == ("There/2", "password")
    assert here.post(f"/settings/security/sessions/{second.id}/end/").status_code == 303
    assert there.get("/runs/").status_code == 303
    assert here.get("/runs/").status_code == 200
    assert household.entries("person.end_session")[-1].details["browser"] == "There/2"


def test_a_session_that_has_run_out_is_not_listed(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    Session.objects.filter(session_key=there.session.session_key).update(expire_date="2026-01-01T00:00Z")
    page = here.get("/settings/security/").content.decode()
    assert "Here/1" in page
    assert "There/2" not in page


def test_others_sessions_are_not_ended(household: Household):
    here = signed_in(household, "Here/1")
    member = signed_in(household, "Member/1", "member")
    answer = member.post(f"/settings/security/sessions/{rows(household)[0].id}/end/")
    assert answer.status_code == 404
    assert here.get("/runs/").status_code == 200


def test_all_others_end_together(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    assert here.post("/settings/security/sessions/end/").status_code == 303
    assert there.get("/runs/").status_code == 303
    assert here.get("/runs/").status_code == 200
    assert len(rows(household)) == 1


def test_another_password_ends_the_others_and_signing_out_forgets_this_one(household: Household):
    here, there = signed_in(household, "Here/1"), signed_in(household, "There/2")
    new = "another long walk by the sea"
    assert here.post("/settings/password/", {"password": new, "again": new}).status_code == 303
    assert there.get("/runs/").status_code == 303
    assert [row.key for row in rows(household)] == [here.session.session_key]
    here.post("/sign-out/")
    assert rows(household) == []
