"""*Is it you?* at a provider: it must say that the person has signed in just now; silence is not taken for it."""

from typing import Any

import pytest

from foundation.federation.services import add_provider
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, away
from tests.identity_providers import TELLS_WHEN, a_provider, come_in

JUST_NOW, LONG_AGO, NO_TIME = "0", "3600", "some-time"


def _anew(household: Household, domain: str, settings: Any, when: str) -> Any:
    with a_provider("-c", TELLS_WHEN, when) as running:
        settings.REMIT_OUTBOUND_ALLOW = (running.issuer.removeprefix("http://"),)
        with household.in_tenant():
            row = add_provider(
                actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Acme ID", issuer=running.issuer,
                client_id="remit", secret="provider-secret", domains=[domain],
            )  # fmt: skip
        subject = f"s-{uuid7().hex}"
        running.knows(subject, email=f"mia@{domain}", email_verified=True, name="Mia")
        client = away()
        assert come_in(client, running, row.slug, subject).status_code == 303
        return come_in(client, running, row.slug, subject, "?again=1")


def test_whoever_has_just_signed_in_there_goes_on(household: Household, domain: str, settings: Any) -> None:
    assert _anew(household, domain, settings, JUST_NOW).status_code == 303


@pytest.mark.parametrize(
    ("when", "said"), [(LONG_AGO, "did not ask you"), (NO_TIME, "does not say when")], ids=["long ago", "no time"]
)
def test_anything_else_is_refused(household: Household, domain: str, settings: Any, when: str, said: str) -> None:
    answer = _anew(household, domain, settings, when)
    assert answer.status_code == 422
    assert said in answer.content.decode()
