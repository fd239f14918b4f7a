"""A household whose people sign in at a real provider."""

from typing import Any

import pytest

from foundation.federation.models import IdentityProvider
from foundation.federation.services import add_provider
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, make_household
from tests.identity_providers import RealProvider, real_provider, running_provider

__all__ = ["real_provider", "running_provider"]


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


@pytest.fixture
def domain() -> str:
    """An e-mail domain of nobody else."""
    return f"d{uuid7().hex[-12:]}.example"


@pytest.fixture
def provider(household: Household, real_provider: RealProvider, domain: str) -> IdentityProvider:
    """The provider, as a row of the household."""
    with household.in_tenant():
        return add_provider(
            actor=household.shell, slug=f"p{uuid7().hex[-12:]}", name="Acme ID", issuer=real_provider.issuer,
            client_id="remit", secret="provider-secret", domains=[domain],
        )  # fmt: skip
