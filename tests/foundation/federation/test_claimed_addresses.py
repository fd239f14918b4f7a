"""Somebody has taken an address before its owner comes in at the provider: it opens nothing to them."""

from typing import Any

import pytest

from foundation.access.people import leave
from foundation.federation.models import IdentityProvider
from foundation.identity.authentication import actor_of_key
from foundation.identity.models import Membership, Principal
from foundation.identity.services import create_api_key
from foundation.ids import uuid7
from tests.foundation.identity.household import PASSWORD, Household, away
from tests.foundation.identity.squatting import Squatter, acts_in, ask, join, path_of, squat
from tests.identity_providers import RealProvider, come_in


@pytest.fixture
def subject() -> str:
    """Somebody whom nobody knows yet."""
    return f"s-{uuid7().hex}"


@pytest.fixture
def squatter(real_provider: RealProvider, domain: str, subject: str, database: Any) -> Squatter:
    """Whoever has taken the address of the one whom the provider knows by the subject."""
    real_provider.knows(subject, email=f"victim@{domain}", name="Vic Victim")
    return squat(f"victim@{domain}")


def person_in(household: Household, email: str) -> Principal:
    with household.in_tenant():
        return Membership.objects.select_related("principal").get(user__email=email).principal


def test_the_first_sign_in_opens_nothing_to_whoever_has_taken_the_address(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, squatter: Squatter, subject: str
):
    victim = away()
    assert come_in(victim, real_provider, provider.slug, subject).status_code == 303
    assert acts_in(victim, household.organisation.id)
    assert not squatter.enters(household.organisation.id)
    assert squatter.enters(squatter.home.organisation.id)
    assert str(household.organisation.id) not in squatter.browser.get("/").content.decode()


def test_whoever_has_taken_the_address_neither_sees_nor_ends_the_owners_browser(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, squatter: Squatter, subject: str
):
    victim = away(headers={"User-Agent": "Victims/1"})
    assert come_in(victim, real_provider, provider.slug, subject).status_code == 303
    assert "Victims/1" not in squatter.browser.get("/settings/security/").content.decode()
    assert squatter.browser.post("/settings/security/sessions/end/").status_code == 303
    new = {"password": "another long walk by the sea", "again": "another long walk by the sea"}
    assert squatter.browser.post("/settings/password/", new).status_code == 303
    assert acts_in(victim, household.organisation.id)


def test_whoever_was_shown_a_link_here_is_out_once_the_provider_tells_whose_the_address_is(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    email = f"victim@{domain}"
    colleague = Squatter(household, email, join(ask(household, email).link))
    assert colleague.enters(household.organisation.id)
    taken = person_in(household, email)
    with household.in_tenant():
        _, key = create_api_key(actor=household.shell, principal=taken, name="For later")
    assert actor_of_key(key) is not None
    real_provider.knows(subject, email=email)
    victim = away()
    assert come_in(victim, real_provider, provider.slug, subject).status_code == 303
    assert acts_in(victim, household.organisation.id)
    assert not colleague.enters(household.organisation.id)
    assert actor_of_key(key) is None
    assert household.entries("person.end_session")[-1].target_id == taken.id


def test_whoever_has_come_back_by_a_link_is_out_when_the_provider_tells_of_its_own_again(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, squatter: Squatter, subject: str
):
    assert come_in(away(), real_provider, provider.slug, subject).status_code == 303
    with household.in_tenant():
        leave(actor=household.shell, principal=person_in(household, squatter.email))
    assert squatter.browser.post(path_of(ask(household, squatter.email).link)).status_code == 303
    assert squatter.enters(household.organisation.id)
    victim = away()
    assert come_in(victim, real_provider, provider.slug, subject).status_code == 303
    assert acts_in(victim, household.organisation.id)
    assert not squatter.enters(household.organisation.id)


def test_whose_address_is_proved_keeps_the_password_beside_the_provider(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    member = household.user(household.member)
    type(member).objects.using("system").filter(pk=member.pk).update(email=f"member@{domain}")
    real_provider.knows(subject, email=f"member@{domain}")
    assert come_in(away(), real_provider, provider.slug, subject).status_code == 303
    client = away()
    client.post("/sign-in/", {"email": f"member@{domain}", "password": PASSWORD})
    assert acts_in(client, household.organisation.id)
