"""An error at an address of the API is a problem document, whoever answers it."""

from typing import Any

from django.test import Client

from foundation.organisations.models import Team
from tests.foundation.identity.household import Household


def test_what_the_database_refuses_at_the_end_is_a_problem(household: Household, team: Team, owner: Client) -> None:
    """The endpoint has long answered when the constraint is looked at; nothing of it stands."""
    answer = owner.get("/api/v1/dangling")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["detail"] == "It points at something that does not exist here."
    assert said["request_id"] == answer["X-Request-Id"]
    assert int(answer["Content-Length"]) == len(answer.content)
    assert answer["X-Content-Type-Options"] == "nosniff"
    with household.in_tenant():
        assert Team.objects.get(pk=team.pk).name == "Desk"


def test_what_a_service_says_is_in_the_problem(household: Household, owner: Client) -> None:
    """In its own words, whoever puts them into the answer."""
    answer = owner.get("/api/v1/invalid")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "This is not possible: choose another."


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
    assert "look at the host" in answer.json()["detail"]
    assert "elsewhere" not in answer.content.decode()


def test_pages_stay_pages(team: Team, owner: Client) -> None:
    """Where people look."""
    answer = owner.get("/dangling")
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/html")
