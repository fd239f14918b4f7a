"""A mailed link proves whose the address is: what was set before, by whoever had taken it, counts no longer."""

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail

from foundation.identity.authentication import actor_of_key
from foundation.identity.lookups import seeing_as, user_by_email
from foundation.identity.models import Membership, WebSession
from foundation.identity.services import create_api_key
from foundation.ids import uuid7
from tests.foundation.identity.household import PASSWORD, Household, away, make_household
from tests.foundation.identity.squatting import Squatter, acts_in, ask, join, path_of, squat
from tests.passkeys import SoftwarePasskey

OTHER = "another long walk by the sea"


@pytest.fixture
def home(database: Any) -> Household:
    """Where the owner of the address is asked to join."""
    return make_household()


@pytest.fixture
def squatter(home: Household) -> Squatter:
    """Whoever had taken the address before."""
    return squat(f"victim-{uuid7()}@b.example")


def mailed(home: Household, email: str, settings: Any) -> str:
    """The link as it comes to the address."""
    settings.REMIT_SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []
    assert ask(home, email).link == ""
    settings.REMIT_SENDS_MAIL = False
    found = re.search(r"http\S+", str(mail.outbox[-1].body))
    assert found is not None
    return found.group()


def test_whoever_gets_the_mail_joins_and_whoever_had_taken_the_address_is_out(
    home: Household, squatter: Squatter, settings: Any
):
    link = mailed(home, squatter.email, settings)
    assert "Set a password of your own" in away().get(path_of(link)).content.decode()
    victim = join(link, OTHER, "Vic Victim")
    assert acts_in(victim, home.organisation.id)
    assert acts_in(victim, squatter.home.organisation.id)  # the seat there stays, and is the owner's now
    assert not squatter.enters(home.organisation.id)
    assert not squatter.enters(squatter.home.organisation.id)
    user = user_by_email(squatter.email)
    assert user is not None
    assert (user.name, user.proved) == ("Vic Victim", True)


def test_passkeys_factors_links_sessions_and_keys_end_with_it(home: Household, squatter: Squatter, settings: Any):
    browser, passkey = squatter.browser, SoftwarePasskey()
    offer = json.loads(browser.get("/settings/security/passkey/").context["options"])
    assert browser.post("/settings/security/passkey/", {"name": "K", "passkey": passkey.make(offer)}).status_code == 200
    kept = squatter.shell_link()
    with squatter.home.in_tenant():
        seat = Membership.objects.select_related("principal").get(user__email=squatter.email)
        _, key = create_api_key(actor=squatter.home.shell, principal=seat.principal, name="For later")
    join(mailed(home, squatter.email, settings), OTHER)
    asked = json.loads(away().get("/sign-in/passkey/").context["options"])
    answer = away().post("/sign-in/passkey/", {"passkey": passkey.sign(asked, verified=True)})
    assert answer.status_code == 422
    assert away().post(kept).status_code == 422
    assert actor_of_key(key) is None
    with seeing_as(seat.user_id):
        assert not Authenticator.objects.filter(user_id=seat.user_id).exists()
        assert WebSession.objects.filter(user_id=seat.user_id).count() == 1
    for place in (home, squatter.home):
        told = place.entries("person.end_credentials")
        assert [(one.target_kind, one.address) for one in told] == [("person", "")]
    assert squatter.home.entries("key.revoke")[-1].actor_name == "invitation"


def test_a_browser_that_is_signed_in_with_the_former_password_does_not_join_without_a_new_one(
    home: Household, squatter: Squatter, settings: Any
):
    """Somebody may have signed the owner's own browser in, so that the link is opened there."""
    link = path_of(mailed(home, squatter.email, settings))
    assert 'name="password"' in squatter.browser.get(link).content.decode()
    assert squatter.browser.post(link).status_code == 422
    assert not squatter.enters(home.organisation.id)


def test_a_link_that_was_shown_sets_no_password_for_whoever_has_one(home: Household, squatter: Squatter):
    link = path_of(ask(home, squatter.email).link)
    answer = away().post(link, {"name": "Vic", "password": OTHER, "again": OTHER})
    assert answer.status_code == 422
    assert "is known here: sign in first" in answer.content.decode()
    assert squatter.enters(squatter.home.organisation.id)


def test_whoever_joins_an_address_that_is_left_keeps_out_who_had_it(home: Household, squatter: Squatter):
    """Its organisation is gone; the address is nobody's, and the next link may set a password."""
    with squatter.home.in_tenant():
        Membership.objects.filter(user__email=squatter.email).delete()
    holder = join(ask(home, squatter.email).link, OTHER)
    assert acts_in(holder, home.organisation.id)
    assert not squatter.enters(home.organisation.id)
    user = user_by_email(squatter.email)
    assert user is not None
    assert not user.proved


def test_whoever_has_joined_by_mail_is_proved_and_goes_on_as_before(home: Household, settings: Any):
    email = f"mia-{uuid7()}@b.example"
    client = join(mailed(home, email, settings))
    other = make_household("Elsewhere")
    link = path_of(mailed(other, email, settings))
    assert 'name="password"' not in client.get(link).content.decode()
    assert client.post(link).status_code == 303
    again = away()
    again.post("/sign-in/", {"email": email, "password": PASSWORD})
    assert acts_in(again, home.organisation.id)
    assert acts_in(again, other.organisation.id)
