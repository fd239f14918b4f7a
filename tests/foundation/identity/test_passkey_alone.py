"""A passkey alone signs in only if its device has checked who holds it; after a password, holding it is enough."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.foundation.identity.household import PASSWORD, Household, away, make_household
from tests.passkeys import SoftwarePasskey


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


@pytest.fixture
def passkey(household: Household) -> SoftwarePasskey:
    """The owner's, made on the product's own page."""
    client, made = signed_in(household, "owner"), SoftwarePasskey()
    offer = json.loads(client.get("/settings/security/passkey/").context["options"])
    answer = client.post("/settings/security/passkey/", {"name": "Key", "passkey": made.make(offer)})
    assert answer.status_code == 200, answer.content.decode()[-900:]
    return made


def signed_in(household: Household, who: str) -> Client:
    client = away()
    email = household.user(getattr(household, who)).email
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 303
    return client


def asked_at(client: Client, address: str) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(client.get(address).context["options"])
    return asked


def test_it_signs_in_where_the_device_has_checked_its_holder(household: Household, passkey: SoftwarePasskey):
    client = away()
    asked = asked_at(client, "/sign-in/passkey/")
    assert client.post("/sign-in/passkey/", {"passkey": passkey.sign(asked, verified=True)}).status_code == 303
    assert client.get("/settings/").status_code == 200
    assert household.entries("person.sign_in")[-1].method == "passkey"


def test_it_opens_nothing_where_the_device_has_not(household: Household, passkey: SoftwarePasskey):
    client = away()
    asked = asked_at(client, "/sign-in/passkey/")
    assert client.post("/sign-in/passkey/", {"passkey": passkey.sign(asked, verified=False)}).status_code == 422
    assert client.get("/settings/").status_code == 303


@pytest.mark.parametrize("verified", [False, True], ids=["not checked", "checked"])
def test_what_was_asked_for_as_a_second_factor_is_no_sign_in(
    household: Household, passkey: SoftwarePasskey, verified: bool
):
    """A thief of the key alone has it sign what a page of the thief's own account asks for."""
    client, own = signed_in(household, "member"), SoftwarePasskey()
    offer = json.loads(client.get("/settings/security/passkey/").context["options"])
    assert client.post("/settings/security/passkey/", {"name": "Own", "passkey": own.make(offer)}).status_code == 200
    asked = asked_at(client, "/sign-in/again/")
    assert asked["publicKey"]["userVerification"] == "preferred"
    answer = client.post("/sign-in/passkey/", {"passkey": passkey.sign(asked, verified=verified)})
    assert answer.status_code == 422
    assert "passkey" not in {one.method for one in household.entries("person.sign_in")}
    assert [one.name for one in passkeys_of(client)] == ["Own"]


def passkeys_of(client: Client) -> list[Any]:
    return [one.wrap() for one in client.get("/settings/security/").context["passkeys"]]


def test_after_the_password_holding_it_is_enough(household: Household, passkey: SoftwarePasskey):
    client, email = away(), household.user(household.owner).email
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD})["Location"].startswith("/sign-in/code/")
    asked = asked_at(client, "/sign-in/code/")
    assert client.post("/sign-in/code/", {"passkey": passkey.sign(asked, verified=False)}).status_code == 303
    assert client.get("/settings/").status_code == 200
