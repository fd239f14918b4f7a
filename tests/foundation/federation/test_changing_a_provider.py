"""What ends when a provider is switched off, removed, or made another one: its sessions, and whom it knew."""

from typing import Any

import pytest

from foundation.actors import Actor, ActorKind
from foundation.federation.connection import Claims
from foundation.federation.models import FederatedIdentity, IdentityProvider
from foundation.federation.services import add_provider, change_provider, remove_provider
from foundation.federation.sign_in import admit
from foundation.identity.authentication import actor_of_session
from foundation.identity.models import Membership
from foundation.ids import uuid7
from tests.foundation.identity.household import PASSWORD, Household, away
from tests.identity_providers import RealProvider, come_in


def signed_in(provider: IdentityProvider, real_provider: RealProvider, domain: str, name: str = "nora") -> Any:
    subject, client = f"{name}-{domain}", away()
    real_provider.knows(subject, email=f"{name}@{domain}", name=name)
    assert come_in(client, real_provider, provider.slug, subject).status_code == 303
    assert actor_of_session(client.session) is not None
    return client


def again(provider: IdentityProvider, name: str) -> IdentityProvider:
    return add_provider(
        actor=Actor(kind=ActorKind.SYSTEM, name="shell", organisation=provider.organisation_id), slug=name,
        name="Again", issuer=provider.issuer, client_id="remit", secret="s", domains=provider.domains,
    )  # fmt: skip


def test_a_session_that_ended_with_it_does_not_count_when_it_is_on_again(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str
):
    client = signed_in(provider, real_provider, domain)
    with household.in_tenant():
        change_provider(actor=household.shell, provider=provider, is_active=False)
        change_provider(actor=household.shell, provider=provider, is_active=True)
    assert actor_of_session(client.session) is None
    assert actor_of_session(signed_in(provider, real_provider, domain).session) is not None


def test_nor_when_it_was_removed_and_there_is_another(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str
):
    client = signed_in(provider, real_provider, domain)
    with household.in_tenant():
        remove_provider(actor=household.shell, provider=provider)
        again(provider, f"p{uuid7().hex[-12:]}")
    assert actor_of_session(client.session) is None


def test_whoever_switches_it_off_by_its_own_means_stays_and_loses_what_it_began(
    household: Household, provider: IdentityProvider, real_provider: RealProvider
):
    user, own, subject = household.user(household.owner), away(), f"s-{uuid7().hex}"
    with household.in_tenant():
        change_provider(actor=household.shell, provider=provider, domains=["example.org"])
    assert own.post("/sign-in/", {"email": user.email, "password": PASSWORD}).status_code == 303
    real_provider.knows(subject, email=user.email)
    other = away()
    assert come_in(other, real_provider, provider.slug, subject).status_code == 303
    owner = actor_of_session(own.session)
    assert owner is not None
    with household.in_tenant():
        change_provider(actor=owner, provider=provider, is_active=False)
        change_provider(actor=owner, provider=provider, is_active=True)
    assert actor_of_session(own.session) is not None
    assert actor_of_session(other.session) is None


@pytest.mark.parametrize("other", [{"issuer": "https://b.example"}, {"client_id": "another"}], ids=str)
def test_the_same_subject_elsewhere_is_somebody_else(household: Household, other: dict[str, str]):
    with household.in_tenant():
        provider = add_provider(
            actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Acme ID", issuer="https://a.example",
            client_id="remit", secret="s", domains=["example.org"],
        )  # fmt: skip
        owner, member = (
            Claims(subject="42", email=household.user(one).email, name="x", groups=frozenset())
            for one in (household.owner, household.member)
        )
        assert admit(actor=household.shell, provider=provider, claims=owner).pk == household.owner.pk
        provider = change_provider(actor=household.shell, provider=provider, name="Renamed")
        assert FederatedIdentity.objects.filter(provider=provider).count() == 1
        provider = change_provider(actor=household.shell, provider=provider, **other)
        assert admit(actor=household.shell, provider=provider, claims=member).pk == household.member.pk
        assert Membership.objects.get(pk=household.owner.pk).sessions_from is not None
