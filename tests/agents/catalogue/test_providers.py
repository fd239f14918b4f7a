"""Providers, their keys, and the models that they sell."""

from typing import Any

import pytest

from agents.catalogue.models import Price, Provider
from agents.catalogue.services import add_language_model, add_provider, set_price, update_provider
from foundation.errors import ConflictError, InvalidError
from foundation.secrets.sealing import unseal
from tests.agents.workshop import Workshop, make_workshop

GOOD: dict[str, Any] = {"slug": "extra", "name": "Extra", "base_url": "https://api.example.org/v1", "api": "chat"}


def test_key_is_sealed_and_stays_out_of_the_record(workshop: Workshop) -> None:
    """It opens with the provider's own context only."""
    sealed = workshop.provider.sealed_key
    assert "sk-canary-1" not in sealed
    assert unseal(sealed, context=f"provider:{workshop.provider.id}") == "sk-canary-1"
    with workshop.open():
        entries = workshop.entries("provider.add")
    assert "sk-canary-1" not in str([entry.__dict__ for entry in entries])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "ftp://example.org"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
        ({"base_url": "https://user:secret@example.org/v1"}, "base_url"),
        ({"base_url": "https://example.org/v1?key=1"}, "base_url"),
        ({"base_url": "https://example.org:99999/v1"}, "base_url"),
        ({"base_url": "https://exa mple.org/v1"}, "base_url"),
        ({"api": "soap"}, "api"),
        ({"slug": "Ä"}, "slug"),
        ({"name": "  "}, "name"),
    ],
)
def test_bad_input_is_refused_at_its_field(workshop: Workshop, changes: dict[str, str], field: str) -> None:
    """And a secret in an address is not repeated in the message."""
    with workshop.open(), pytest.raises(InvalidError) as error:
        add_provider(actor=workshop.shell, **(GOOD | changes))
    assert error.value.field == field
    assert "secret" not in str(error.value)


def test_slug_is_unique_in_the_organisation_only(workshop: Workshop) -> None:
    """Another organisation may use the same."""
    with workshop.open():
        add_provider(actor=workshop.shell, **GOOD)
        with pytest.raises(ConflictError, match="already"):
            add_provider(actor=workshop.shell, **GOOD)
    other = make_workshop()
    with other.open():
        add_provider(actor=other.shell, **GOOD)


def change(workshop: Workshop, **changes: Any) -> Provider:
    """Update the provider."""
    values = {"name": "House", "base_url": "https://models.example.org/v1", "api": "responses", "enabled": True}
    with workshop.open():
        return update_provider(actor=workshop.shell, provider=workshop.provider, **(values | changes))


def test_update_keeps_replaces_or_removes_the_key(workshop: Workshop) -> None:
    """None, a text, and an empty one."""
    assert change(workshop, name="Home").sealed_key == workshop.provider.sealed_key
    changed = change(workshop, key="sk-2")
    assert unseal(changed.sealed_key, context=f"provider:{changed.id}") == "sk-2"
    assert change(workshop, key="").sealed_key == ""


@pytest.mark.parametrize("base_url", ["https://elsewhere.example/v1", "http://models.example.org/v1",
                                      "https://models.example.org:8443/v1"])  # fmt: skip
def test_key_does_not_travel_to_another_server(workshop: Workshop, base_url: str) -> None:
    """Whoever may edit the address does not get at the key."""
    with pytest.raises(InvalidError, match="another server"):
        change(workshop, base_url=base_url)
    assert change(workshop, base_url=base_url, key="sk-for-there").base_url == base_url


def test_model_sizes_make_sense(workshop: Workshop) -> None:
    """An answer is not longer than the window."""
    with workshop.open():
        for window, output in ((0, 1), (100, 0), (100, 101), (True, 1), (10**9, 1)):
            with pytest.raises(InvalidError):
                add_language_model(
                    actor=workshop.shell,
                    provider=workshop.provider,
                    slug="odd",
                    name="Odd",
                    wire_name="odd",
                    context_window=window,
                    max_output=output,
                )


def test_newest_price_counts(workshop: Workshop) -> None:
    """Earlier ones stay as they are."""
    with workshop.open():
        for price in (1_000, 2_000):
            set_price(
                actor=workshop.shell,
                language_model=workshop.model,
                currency="EUR",
                input_per_million=price,
                output_per_million=0,
            )
        current = Price.objects.filter(language_model=workshop.model).current().first()
        assert Price.objects.filter(language_model=workshop.model).count() == 2
    assert current is not None
    assert current.input_per_million == 2_000


@pytest.mark.parametrize(("currency", "amount"), [("USD", 1), ("EUR", -1), ("EUR", 1.5), ("eur", 1), ("EUR", 10**14)])
def test_bad_prices_are_refused(workshop: Workshop, currency: str, amount: Any) -> None:
    """Budgets are kept in the organisation's currency."""
    with workshop.open(), pytest.raises(InvalidError):
        set_price(
            actor=workshop.shell,
            language_model=workshop.model,
            currency=currency,
            input_per_million=amount,
            output_per_million=0,
        )


def test_agents_buy_nothing(workshop: Workshop) -> None:
    """Neither providers nor prices."""
    with workshop.open():
        with pytest.raises(InvalidError, match="agent"):
            add_provider(actor=workshop.an_agent, **GOOD)
        with pytest.raises(InvalidError, match="agent"):
            set_price(
                actor=workshop.an_agent,
                language_model=workshop.model,
                currency="EUR",
                input_per_million=0,
                output_per_million=0,
            )
