"""Checking the connection to an identity provider over REST."""

from foundation.federation.models import IdentityProvider
from foundation.federation.services import change_provider
from foundation.identity.services import create_api_key
from tests.foundation.api.world import Api
from tests.foundation.identity.household import Household


def test_it_tells_what_the_provider_says_of_itself(household: Household, provider: IdentityProvider) -> None:
    with household.in_tenant():
        key = create_api_key(actor=household.shell, principal=household.owner.principal, name="k")[1]
    address = f"/identity-providers/{provider.pk}/check"
    told = Api(key).post(address)
    assert told.status_code == 200, told.content
    assert told.json()["issuer"].rstrip("/") == provider.issuer.rstrip("/")
    assert told.json()["token_endpoint"].startswith(provider.issuer)
    with household.in_tenant():
        change_provider(actor=household.shell, provider=provider, issuer=f"{provider.issuer}/nowhere")
    refused = Api(key).post(address)
    assert refused.status_code == 400
    assert "does not answer as an identity provider" in refused.json()["detail"]
