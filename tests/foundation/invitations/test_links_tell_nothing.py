"""A link that was shown does not tell whether the address is known, until somebody tries to join: that is recorded."""

import re
from typing import Any

import pytest
from django.test import Client

from foundation.ids import uuid7
from tests.foundation.identity.household import PASSWORD, Household, away, make_household
from tests.foundation.identity.squatting import ask, path_of

STRONG = {"name": "Ivy", "password": PASSWORD, "again": PASSWORD}
WEAK = {"name": "Ivy", "password": "password", "again": "password"}


@pytest.fixture
def home(database: Any) -> Household:
    """Which invites."""
    return make_household()


def both(home: Household) -> dict[str, str]:
    """An address that is somebody's elsewhere, and one that is nobody's, each with its link."""
    other = make_household("Elsewhere")
    known, unknown = other.user(other.member).email, f"nobody-{uuid7()}@example.org"
    return {email: path_of(ask(home, email).link) for email in (known, unknown)}


def plain(answer: Any, email: str, path: str) -> tuple[int, str]:
    """What the page says, without what is different in any two of them."""
    said = answer.content.decode().replace(email, "…").replace(path, "…").replace(path.replace("/", "%2F"), "…")
    return answer.status_code, re.sub(r"\b[A-Za-z0-9]{64}\b", "a token against forged forms", said)


def of_owner(home: Household) -> Client:
    client = away()
    client.post("/sign-in/", {"email": home.user(home.owner).email, "password": PASSWORD})
    return client


@pytest.mark.parametrize("form", [None, {}, WEAK, {**STRONG, "again": "other"}])
@pytest.mark.parametrize("signed_in", [False, True])
def test_the_page_and_its_refusals_are_the_same(home: Household, form: dict[str, str] | None, signed_in: bool):
    said = set()
    for email, path in both(home).items():
        client = of_owner(home) if signed_in else away()
        answer = client.get(path) if form is None else client.post(path, form)
        said.add(plain(answer, email, path))
    assert len(said) == 1


def test_whoever_may_invite_no_more_learns_nothing_either(home: Household):
    links = both(home)
    with home.in_tenant():
        home.principal(home.owner).__class__.objects.filter(pk=home.owner.principal_id).update(state="suspended")
    assert len({plain(away().post(path, STRONG), email, path) for email, path in links.items()}) == 1


def test_only_trying_to_join_tells_and_is_recorded(home: Household):
    known, unknown = both(home).values()
    assert away().post(known, STRONG).status_code == 422
    assert away().post(unknown, STRONG).status_code == 303
    assert len(home.entries("invitation.accept")) == 1
    assert ["is known here" in one.reason for one in home.entries("invitation.accept", "denied")] == [True]
