"""An ID token and userinfo that tell different things: an address and the word on it come from one of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from foundation.federation.models import IdentityProvider
from foundation.federation.services import add_provider
from foundation.identity.authentication import actor_of_session
from foundation.identity.lookups import user_by_email
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, away
from tests.identity_providers import SAYS_APART, RealProvider, a_provider, come_in


@pytest.fixture(scope="module")
def apart() -> Iterator[RealProvider]:
    """A provider whose two tellings differ."""
    with a_provider("-c", SAYS_APART) as running:
        yield running


@pytest.fixture
def row(household: Household, apart: RealProvider, domain: str, settings: Any) -> IdentityProvider:
    """It, as the household knows it."""
    settings.REMIT_OUTBOUND_ALLOW = (apart.issuer.removeprefix("http://"),)
    with household.in_tenant():
        return add_provider(
            actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Apart", issuer=apart.issuer,
            client_id="remit", secret="s", domains=[domain],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("token", "userinfo"),
    [
        ({"email": "mia@", "email_verified": False}, {"email_verified": True}),
        ({"email": "mia@", "email_verified": False}, {"email": "mia@"}),
        ({"email": "mia@", "email_verified": False}, {"email": "mia@", "email_verified": True}),
        ({"email_verified": True}, {"email": "mia@", "email_verified": False}),
        ({"email": "mia@", "email_verified": True}, {"email": "mia@", "email_verified": "false"}),
        ({"email": "mia@", "email_verified": False}, {}),
    ],
    ids=str,
)
def test_whatever_either_calls_unverified_lets_nobody_in(
    row: IdentityProvider, apart: RealProvider, domain: str, token: dict[str, Any], userinfo: dict[str, Any]
):
    subject = f"s-{uuid7().hex}"
    full = [one | ({"email": one["email"] + domain} if "email" in one else {}) for one in (token, userinfo)]
    apart.knows(subject, token=full[0], userinfo=full[1])
    answer = come_in(away(), apart, row.slug, subject)
    assert answer.status_code == 422
    assert "vouches for no e-mail address" in answer.content.decode()
    assert user_by_email(f"mia@{domain}") is None


@pytest.mark.parametrize("where", ["token", "userinfo"])
def test_one_that_tells_all_by_itself_is_enough(row: IdentityProvider, apart: RealProvider, domain: str, where: str):
    subject, client = f"s-{uuid7().hex}", away()
    apart.knows(subject, name="Mia", **{where: {"email": f"mia@{domain}", "email_verified": True}})
    assert come_in(client, apart, row.slug, subject).status_code == 303
    assert actor_of_session(client.session) is not None


def test_of_two_addresses_that_of_userinfo_counts(row: IdentityProvider, apart: RealProvider, domain: str):
    subject = f"s-{uuid7().hex}"
    apart.knows(subject, token={"email": f"mia@{domain}", "email_verified": True}, userinfo={"email": f"lea@{domain}"})
    assert come_in(away(), apart, row.slug, subject).status_code == 303
    assert user_by_email(f"lea@{domain}") is not None
    assert user_by_email(f"mia@{domain}") is None


def test_a_subject_that_is_too_long_is_not_cut_to_somebody_else(
    row: IdentityProvider, apart: RealProvider, domain: str
):
    subject = uuid7().hex * 8
    for one, status in ((subject[:255], 303), (subject, 422)):
        apart.knows(one, email=f"{'mia' if status == 422 else 'lea'}@{domain}")
        assert come_in(away(), apart, row.slug, one).status_code == status


def test_userinfo_of_somebody_else_lets_nobody_in(row: IdentityProvider, apart: RealProvider, domain: str):
    subject = f"s-{uuid7().hex}"
    apart.knows(subject, email=f"mia@{domain}", userinfo={"sub": "somebody-else"})
    answer = come_in(away(), apart, row.slug, subject)
    assert answer.status_code == 422
    assert "could not be asked who you are" in answer.content.decode()
