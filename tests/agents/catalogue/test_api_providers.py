"""Providers over REST: added, changed, and their keys never shown again."""

from agents.catalogue.models import Provider
from foundation.secrets.sealing import unseal
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import bare, world
from tests.foundation.api.world import World

__all__ = ["bare", "world"]
BODY = {"slug": "house", "name": "House", "base_url": "https://models.example.org/v1", "key": "canary-key"}


def test_a_key_goes_in_and_never_out(bare: World) -> None:
    api = bare.api()
    made = api.post("/providers", BODY)
    assert made.status_code == 201
    assert made.json()["has_key"] is True
    for answer in (made, api.get("/providers"), api.get("/providers/house")):
        assert "canary-key" not in answer.content.decode()
    with tenant(bare.organisation.id):
        provider = Provider.objects.get(slug="house")
    assert unseal(provider.sealed_key, context=f"provider:{provider.id}") == "canary-key"


def test_what_is_not_given_stays(bare: World) -> None:
    api = bare.api()
    api.post("/providers", BODY)
    changed = api.patch("/providers/house", {"name": "Home"})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["has_key"]) == ("Home", True)
    assert api.patch("/providers/house", {"key": ""}).json()["has_key"] is False


def test_an_address_of_another_server_needs_the_key_again(bare: World) -> None:
    api = bare.api()
    api.post("/providers", BODY)
    answer = api.patch("/providers/house", {"base_url": "https://evil.example.org/v1"})
    assert answer.status_code == 400
    assert "key" in answer.json()["errors"]


def test_a_price_counts_from_now_on(world: World) -> None:
    api = world.api()
    price = {"currency": "EUR", "input_per_million": 5, "output_per_million": 7}
    assert api.post("/language-models/small/prices", price).status_code == 201
    prices = api.get("/language-models/small/prices").json()["items"]
    assert [one["input_per_million"] for one in prices] == [5, 1_000_000]


def test_a_price_in_another_currency_is_refused(world: World) -> None:
    price = {"currency": "USD", "input_per_million": 5, "output_per_million": 7}
    answer = world.api().post("/language-models/small/prices", price)
    assert answer.status_code == 400
    assert "currency" in answer.json()["errors"]


def test_a_model_needs_a_provider_that_is_there(world: World) -> None:
    body = {"provider": "nowhere", "slug": "x", "name": "X", "wire_name": "x"}
    assert world.api().post("/language-models", body).status_code == 404
