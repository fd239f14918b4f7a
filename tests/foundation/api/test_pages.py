"""An error at an address of the API is a problem document, whoever answers it."""

from typing import Any

import pytest
from django.test import Client

from foundation.organisations.models import Team
from foundation.organisations.services import create_team
from tests.foundation.identity.household import Household, browser, make_household


@pytest.fixture
def household(database: Any, settings: Any) -> Household:
    """An organisation with an owner and a member, on a site whose views do not handle what they raise."""
    settings.ROOT_URLCONF = "tests.foundation.identity.site"
    return make_household()


@pytest.fixture
def owner(household: Household) -> Client:
    """The owner's browser; there is a team that can be renamed."""
    with household.in_tenant():
        create_team(actor=household.shell, organisation=household.organisation, slug="desk", name="Desk")
    client = browser(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(household.link(household.owner))
    return client


def test_what_the_database_refuses_at_the_end_is_a_problem(household: Household, owner: Client) -> None:
    """The endpoint has long answered when the constraint is looked at; nothing of it stands."""
    answer = owner.get("/api/v1/dangling")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["detail"] == "It points at something that does not exist here."
    assert said["request_id"] == answer["X-Request-Id"]
    with household.in_tenant():
        assert Team.objects.get(slug="desk").name == "Desk"


def test_a_fault_is_a_problem_that_tells_nothing_of_itself(owner: Client) -> None:
    answer = owner.get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:remit:problem:failed"
    assert "request_id" in answer.json()["detail"]


def test_a_host_that_is_not_ours_is_a_problem(owner: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["remit.example"]
    answer = owner.get("/api/v1/dangling", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:remit:problem:invalid"
    assert "elsewhere" not in answer.content.decode()


def test_pages_stay_pages(owner: Client) -> None:
    """Where people look."""
    answer = owner.get("/dangling")
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/html")
