"""What a provider is asked travels sealed: its issuer, and every address that it names itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from foundation.errors import InvalidError
from foundation.federation.addresses import is_sealed
from foundation.federation.models import IdentityProvider
from foundation.federation.services import add_provider, change_provider
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, away
from tests.identity_providers import LEADS_ASTRAY, RealProvider, a_provider

PLAIN = ["http://login.example.org", "http://localhost:8080", "http://10.0.0.7", "http://127.0.0.1.example.org",
         "http://[::1", "HTTP://login.example.org", "ftp://127.0.0.1", "https://", "//login.example.org"]  # fmt: skip


@pytest.mark.parametrize("address", PLAIN)
def test_what_others_may_read_is_not_sealed(address: str):
    assert not is_sealed(address)


@pytest.mark.parametrize("address", ["https://login.example.org", "http://127.0.0.1:8080/x", "http://[::1]:8080"])
def test_https_and_loopback_are(address: str):
    assert is_sealed(address)


def test_a_plain_issuer_is_neither_added_nor_changed_to(household: Household, provider: IdentityProvider):
    with household.in_tenant():
        with pytest.raises(InvalidError, match="begins with https://") as refused:
            add_provider(
                actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Plain", issuer="http://login.example.org",
                client_id="remit", secret="s", domains=["example.org"],
            )  # fmt: skip
        assert refused.value.field == "issuer"
        with pytest.raises(InvalidError, match="begins with https://"):
            change_provider(actor=household.shell, provider=provider, issuer="http://login.example.org")


def test_one_that_was_saved_before_is_refused_at_its_use(household: Household, provider: IdentityProvider, domain: str):
    with household.in_tenant():
        IdentityProvider.objects.filter(pk=provider.pk).update(issuer="http://localhost:1")
    answer = away().get(f"/sign-in/with/{provider.slug}/start/")
    assert answer.status_code == 422
    assert "begins with https://" in answer.content.decode()


@pytest.fixture(params=["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
def astray(request: Any, settings: Any) -> Iterator[RealProvider]:
    """A provider one of whose own addresses is a plain one."""
    with a_provider("-c", LEADS_ASTRAY, request.param, "http://login.example.org/x") as running:
        settings.REMIT_OUTBOUND_ALLOW = (running.issuer.removeprefix("http://"),)
        yield running


def test_no_address_that_it_names_is_a_plain_one(household: Household, astray: RealProvider, domain: str):
    with household.in_tenant():
        row = add_provider(
            actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Astray", issuer=astray.issuer,
            client_id="remit", secret="s", domains=[domain],
        )  # fmt: skip
    answer = away().get(f"/sign-in/with/{row.slug}/start/")
    assert answer.status_code == 422
    assert "begins with https://" in answer.content.decode()
