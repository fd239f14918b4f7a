"""Signing in and out in the console: password, link, where one comes from, and what a thief would try."""

import re
from typing import Any

import pytest
from django.test import Client

from foundation.actors import shell_actor
from foundation.identity.lookups import user_by_email
from foundation.identity.models import Membership
from foundation.identity.services import change_password, create_sign_in_link
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World

PASSWORD = "a long enough phrase 7"


@pytest.fixture
def email(world: World) -> str:
    with tenant(world.organisation.id):
        person = Membership.objects.select_related("user").get(principal=world.people["operator"])
        change_password(actor=shell_actor(world.organisation.id), user=person.user, password=PASSWORD)
    return person.user.email


def sign_in(email: str, password: str = PASSWORD, **more: str) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/sign-in/", {"email": email, "password": password, **more})


def test_a_password_opens_the_console_and_signing_out_closes_it(email: str):
    client, answer = sign_in(email)
    assert (answer.status_code, answer["Location"]) == (303, "/")
    assert client.get("/runs/").status_code == 200
    assert client.get("/sign-in/").status_code == 303
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/runs/").status_code == 303


def test_a_wrong_password_says_no_more_than_needed(email: str):
    for address in (email, "nobody@example.org"):
        _, answer = sign_in(address, "wrong")
        assert answer.status_code == 422
        assert "The address or the password is wrong." in answer.content.decode()


def test_one_comes_back_to_where_one_was_but_never_elsewhere(email: str):
    assert sign_in(email, next="/runs/?q=x")[1]["Location"] == "/runs/?q=x"
    for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        assert sign_in(email, next=elsewhere)[1]["Location"] == "/"


def test_too_many_attempts_are_told_to_wait(email: str):
    answers = [sign_in(email, "wrong")[1] for _ in range(11)]
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) > 0


def test_a_link_is_used_by_its_button_not_by_looking_at_it(email: str):
    user = user_by_email(email)
    assert user is not None
    path = re.sub(r"^https?://[^/]+", "", create_sign_in_link(actor=shell_actor(), user=user))
    client = Client()
    assert client.get(path).status_code == 200
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 303
    assert client.get("/runs/").status_code == 200
    again = Client().post(path)
    assert again.status_code == 422
    assert "used already" in again.content.decode()


def test_a_form_without_its_token_is_refused(email: str):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 403


def test_the_own_password_is_changed_and_this_session_goes_on(email: str):
    client, _ = sign_in(email)
    other, _ = sign_in(email)
    new = "another long phrase 8"
    assert client.post("/settings/password/", {"password": new, "again": "no"}).status_code == 422
    assert client.post("/settings/password/", {"password": new, "again": new}).status_code == 303
    assert client.get("/runs/").status_code == 200
    assert other.get("/runs/").status_code == 303


def test_an_organisation_of_others_is_not_chosen(world: World, email: str):
    client, _ = sign_in(email)
    assert client.post("/organisation/", {"organisation": str(world.team.id)}).status_code == 303
    assert client.get("/runs/").status_code == 200


def test_what_is_asked_alone_is_not_called_optional(email: str):
    client, _ = sign_in(email)
    page = client.get("/sign-in/again/").content.decode()
    assert "It is me" in page
    assert "optional" not in page.partition("<form")[2]
