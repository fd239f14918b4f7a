"""One transaction for each request, in the tenant of whoever acts."""

import pytest
from django.db import connection
from django.test import Client

from foundation.identity.services import create_api_key
from foundation.organisations.models import Organisation, Team
from tests.foundation.identity.household import Household, browser, make_household


def name_of(household: Household, team: Team) -> str:
    """The team's name as it stands."""
    with household.in_tenant():
        return Team.objects.get(pk=team.pk).name


@pytest.mark.parametrize("status", [200, 204, 302])
def test_success_commits(household: Household, team: Team, owner: Client, status: int) -> None:
    """What the view has changed stays."""
    assert owner.get(f"/rename/{status}").status_code == status
    assert name_of(household, team) == f"renamed with {status}"


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_everything_else_rolls_back(household: Household, team: Team, owner: Client, status: int) -> None:
    """An answer that says no has changed nothing."""
    assert owner.get(f"/rename/{status}").status_code == status
    assert name_of(household, team) == "Desk"


def test_fault_rolls_back(household: Household, team: Team, owner: Client) -> None:
    """And is a plain 500."""
    assert owner.get("/broken").status_code == 500
    assert name_of(household, team) == "Desk"


def test_refusal_rolls_back_and_is_recorded(household: Household, team: Team, member: Client) -> None:
    """With who, what, and the permission that was missing."""
    assert member.get("/guarded").status_code == 403
    assert name_of(household, team) == "Desk"
    entry = household.entries("access.refuse", "denied")[0]
    assert entry.actor_id == household.member.principal_id
    assert entry.target_name == "GET /guarded"
    assert "organisation.manage" in entry.reason


def test_whoever_may_is_not_refused(household: Household, team: Team, owner: Client) -> None:
    """The same page."""
    assert owner.get("/guarded").status_code == 200
    assert household.entries("access.refuse", "denied") == []


def test_error_of_a_service_is_a_bad_request(owner: Client, household: Household) -> None:
    """Not a fault of ours."""
    assert owner.get("/invalid").status_code == 400


@pytest.mark.parametrize(("path", "status"), [("/protected", 409), ("/dangling", 400)])
def test_what_the_database_refuses_is_no_fault_of_ours(
    household: Household, team: Team, owner: Client, path: str, status: int
) -> None:
    """Neither at once nor at the end of the transaction; nothing of it stands."""
    assert owner.get(path).status_code == status
    assert name_of(household, team) == "Desk"


def test_nobody_sees_no_organisation(household: Household, team: Team) -> None:
    """And changes none, even where the view forgets to ask."""
    visitor = browser()
    assert visitor.get("/who").json()["sees"] == []
    assert visitor.get("/rename/200").status_code == 200
    assert name_of(household, team) == "Desk"


def test_tenants_do_not_meet_on_one_connection(household: Household, team: Team, owner: Client) -> None:
    """The next request of the same thread begins with nothing."""
    other = make_household("Other")
    stranger = browser()
    stranger.get(other.link(other.owner))
    for _ in range(2):
        assert owner.get("/who").json()["sees"] == [household.organisation.slug]
        assert stranger.get("/who").json()["sees"] == [other.organisation.slug]
        assert browser().get("/who").json()["sees"] == []
    stranger.get("/rename/200")
    assert name_of(household, team) == "Desk"
    assert Organisation.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT nullif(current_setting('remit.user', true), '')")
        assert cursor.fetchone() == (None,)


def test_writing_by_cookie_needs_the_csrf_token(household: Household, owner: Client) -> None:
    """A foreign page cannot use the browser's session; the refusal is recorded."""
    assert owner.post("/rename/200").status_code == 403
    assert household.entries("access.refuse", "denied")[0].target_name == "POST /rename/200"


def test_signing_in_needs_the_csrf_token(household: Household, owner: Client) -> None:
    """A foreign page cannot sign a browser in as somebody else; this refusal is recorded, too."""
    assert owner.post("/sign-in/", {"email": "a@example.org", "password": "x"}).status_code == 403
    assert household.entries("access.refuse", "denied")[0].target_name == "POST /sign-in/"


def test_writing_by_key_does_not(household: Household, team: Team) -> None:
    """No browser adds a key by itself."""
    with household.in_tenant():
        _, token = create_api_key(actor=household.shell, principal=household.owner.principal, name="k")
    client = browser(enforce_csrf_checks=True)
    assert client.post("/rename/200", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert name_of(household, team) == "renamed with 200"


def test_a_bad_key_does_not_open_the_cookies_door(household: Household, team: Team, owner: Client) -> None:
    """Sending any key switches CSRF checks off, so it must switch the session off, too."""
    owner.post("/rename/200", headers={"Authorization": "Bearer rk_bad_key"})
    assert name_of(household, team) == "Desk"


def test_other_authorization_schemes_leave_the_session_alone(household: Household, owner: Client) -> None:
    """A proxy in front may use Basic for itself."""
    assert owner.get("/who", headers={"Authorization": "Basic dTpw"}).json()["kind"] == "person"


def test_address_behind_our_proxy(household: Household, owner: Client, settings: object) -> None:
    """The last one that our proxy has added; without a proxy the header is a stranger's word."""
    said = {"X-Forwarded-For": "6.6.6.6, 192.0.2.7"}
    assert owner.get("/who", headers=said).json()["address"] == "127.0.0.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert owner.get("/who", headers=said).json()["address"] == "192.0.2.7"
