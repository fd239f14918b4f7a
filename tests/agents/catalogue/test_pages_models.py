"""Providers, models and prices in the console."""

from agents.catalogue.models import LanguageModel, Price, Provider
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def test_a_provider_and_a_model_with_its_price(world: World, visit: Visit):
    form = {"name": "Own", "slug": "own", "base_url": "https://own.example.org/v1", "api": "chat", "key": "sk-hidden"}
    assert visit("/settings/providers/new", form=form)["Location"] == "/settings/models/new"
    with tenant(world.organisation.id):
        provider = Provider.objects.get(slug="own")
    form = {
        "provider": str(provider.id), "name": "Big", "slug": "big", "wire_name": "big-1", "context_window": 32_000,
        "max_output": 2_000, "input_price": "0.15", "output_price": "0.6",
    }  # fmt: skip
    assert visit("/settings/models/new", form=form).status_code == 303
    with tenant(world.organisation.id):
        price = Price.objects.get(language_model=LanguageModel.objects.get(slug="big"))
    assert (price.input_per_million, price.output_per_million) == (150_000, 600_000)
    page = visit("/settings/models/", "viewer").content.decode()
    assert "€0.150" in page
    assert "sk-hidden" not in page


def test_an_address_that_is_none_is_told_at_its_field(visit: Visit):
    form = {"name": "Own", "slug": "own", "base_url": "nowhere", "api": "chat"}
    answer = visit("/settings/providers/new", form=form)
    assert answer.status_code == 422
    assert 'id="id_base_url_error"' in answer.content.decode()
