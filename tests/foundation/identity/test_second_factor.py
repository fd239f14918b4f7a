"""Second factors: what is asked for after the password, what counts once, and what wants a recent sign-in."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connections
from django.test import Client

from foundation.actors import shell_actor
from foundation.identity.authentication import SINCE_KEY
from foundation.identity.lookups import seeing_as
from foundation.secrets.rotation import rotate_sealing_key
from tests.foundation.identity.household import PASSWORD, Household, away, make_household


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


@pytest.fixture
def email(household: Household) -> str:
    """The owner's address."""
    return household.user(household.owner).email


def code_of(secret: str, later: int = 0) -> str:
    """What an app shows, `later` half minutes from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later))


def signed_in(email: str) -> Client:
    client = away()
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 303
    return client


def add_app(client: Client) -> tuple[str, list[str]]:
    """Through the pages: the secret, and the recovery codes that are shown."""
    page = client.get("/settings/security/app/")
    assert page.status_code == 200
    secret = client.session["mfa.totp.secret"]
    assert secret in page.content.decode()
    assert "<svg" in page.content.decode()
    assert client.post("/settings/security/app/", {"code": "000000"}).status_code == 422
    answer = client.post("/settings/security/app/", {"code": code_of(secret)})
    assert answer.status_code == 200
    return secret, list(answer.context["codes"])


def test_an_app_is_asked_for_after_the_password(household: Household, email: str):
    secret, codes = add_app(signed_in(email))
    assert len(codes) == 10
    client = away()
    answer = client.post("/sign-in/", {"email": email, "password": PASSWORD, "next": "/runs/"})
    assert answer["Location"] == "/sign-in/code/?next=%2Fruns%2F"
    assert client.get("/runs/").status_code == 303
    assert client.get("/sign-in/code/").status_code == 200
    assert client.post("/sign-in/code/", {"code": "000000"}).status_code == 422
    code = code_of(secret, 1)
    answer = client.post("/sign-in/code/", {"code": code, "next": "/runs/"})
    assert (answer.status_code, answer["Location"]) == (303, "/runs/")
    assert client.get("/runs/").status_code == 200
    assert household.entries("person.sign_in")[-1].details == {"second_factor": "totp"}
    assert len(household.entries("person.add_factor")) == 1
    again = away()
    again.post("/sign-in/", {"email": email, "password": PASSWORD})
    assert again.post("/sign-in/code/", {"code": code}).status_code == 422
    for same in (code, f"{code[:3]} {code[3:]}", f"{code[:3]}-{code[3:]}"):
        cache.clear()  # that of another process, or of this one half a minute later
        assert again.post("/sign-in/code/", {"code": same}).status_code == 422


def test_a_recovery_code_counts_once(household: Household, email: str):
    _, codes = add_app(signed_in(email))
    for status in (303, 422):
        client = away()
        client.post("/sign-in/", {"email": email, "password": PASSWORD})
        assert client.post("/sign-in/code/", {"code": codes[0]}).status_code == status
    client = signed_in_with(email, codes[1])
    answer = client.post("/settings/security/codes/", {})
    assert answer.status_code == 200
    fresh = answer.context["codes"]
    assert not set(fresh) & set(codes)
    other = away()
    other.post("/sign-in/", {"email": email, "password": PASSWORD})
    assert other.post("/sign-in/code/", {"code": codes[2]}).status_code == 422


def signed_in_with(email: str, code: str) -> Client:
    client = signed_in(email)
    assert client.post("/sign-in/code/", {"code": code}).status_code == 303
    return client


def test_codes_cannot_be_guessed_at_will(household: Household, email: str):
    add_app(signed_in(email))
    client = away()
    client.post("/sign-in/", {"email": email, "password": PASSWORD})
    answers = [client.post("/sign-in/code/", {"code": f"{number:06}"}).status_code for number in range(11)]
    assert answers[:10] == [422] * 10
    assert answers[10] == 429
    assert len(household.entries("person.sign_in", "denied")) >= 10


def test_the_password_alone_is_forgotten_soon(household: Household, email: str):
    secret, _ = add_app(signed_in(email))
    client = away()
    client.post("/sign-in/", {"email": email, "password": PASSWORD})
    session = client.session
    session["held"] = {**session["held"], "until": time.time() - 1}
    session.save()
    assert client.post("/sign-in/code/", {"code": code_of(secret, 1)})["Location"] == "/sign-in/"


def test_secrets_are_sealed_and_survive_a_new_key(household: Household, email: str):
    secret, codes = add_app(signed_in(email))
    user = household.user(household.owner)
    with seeing_as(user.id):
        rows = list(Authenticator.objects.filter(user_id=user.id))
    assert len(rows) == 2
    assert secret not in str([row.data for row in rows])
    rotate_sealing_key(actor=shell_actor())
    signed_in_with(email, codes[5])


def test_nobody_sees_the_factors_of_others(household: Household, email: str):
    add_app(signed_in(email))
    other = household.user(household.member)
    with seeing_as(other.id):
        assert not Authenticator.objects.exists()
    assert not Authenticator.objects.exists()
    with connections["engine"].cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('mfa_authenticator', 'SELECT')")
        assert cursor.fetchone() == (False,)


def test_what_is_dangerous_wants_a_recent_sign_in(household: Household, email: str):
    client = signed_in(email)
    grow_old(client)
    assert client.get("/settings/security/").status_code == 200
    answer = client.get("/settings/security/app/")
    assert (answer.status_code, answer["Location"]) == (303, "/sign-in/again/?next=%2Fsettings%2Fsecurity%2Fapp%2F")
    new = "another long walk by the sea"
    answer = client.post("/settings/password/", {"password": new, "again": new})
    assert answer["Location"].startswith("/sign-in/again/")
    page = client.get(answer["Location"])
    assert page.status_code == 200
    assert client.post("/sign-in/again/", {"password": "wrong"}).status_code == 422
    answer = client.post("/sign-in/again/", {"password": PASSWORD, "next": "/settings/security/app/"})
    assert (answer.status_code, answer["Location"]) == (303, "/settings/security/app/")
    assert client.get("/settings/security/app/").status_code == 200
    assert len(household.entries("person.confirm")) == 1


def test_with_a_second_factor_that_one_confirms(household: Household, email: str):
    client = signed_in(email)
    _, codes = add_app(client)
    grow_old(client)
    assert client.post("/sign-in/again/", {"password": PASSWORD}).status_code == 422
    assert client.post("/sign-in/again/", {"code": codes[0]}).status_code == 303
    number = Client()
    assert number.post("/sign-in/again/", {"password": PASSWORD}).status_code == 303  # nobody: to the sign-in


def test_the_last_factor_takes_the_codes_along(household: Household, email: str):
    client = signed_in(email)
    add_app(client)
    user = household.user(household.owner)
    with seeing_as(user.id):
        number = Authenticator.objects.get(user_id=user.id, type="totp").pk
    assert client.post(f"/settings/security/factors/{number}/remove/").status_code == 303
    with seeing_as(user.id):
        assert not Authenticator.objects.filter(user_id=user.id).exists()
    assert away().post("/sign-in/", {"email": email, "password": PASSWORD})["Location"] == "/"


def grow_old(client: Client) -> None:
    session = client.session
    session[SINCE_KEY] = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
    session.save()
