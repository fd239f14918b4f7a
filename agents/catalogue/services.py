"""Verbs on providers, language models and prices."""

from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from agents.catalogue.models import MOST_TOKENS, InferenceApi, LanguageModel, Price, Provider
from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7
from foundation.inputs import (
    checked_currency,
    checked_number,
    checked_slug,
    checked_text,
    organisation_of,
    refuse_agent,
)
from foundation.secrets.sealing import seal

DEAREST = 10**13  # micro-units for a million tokens


@transaction.atomic
def add_provider(
    *, actor: Actor, slug: str, name: str, base_url: str, api: str, key: str = "", rehearsal: bool = False
) -> Provider:
    """An OpenAI-compatible endpoint. Its key is sealed and never shown again."""
    refuse_agent(actor)
    slug, name = checked_slug(slug), checked_text(name, 120)
    if Provider.objects.filter(organisation_id=organisation_of(actor), slug=slug).exists():
        raise ConflictError(f"There is a provider {slug} already: choose another short name.")
    identifier = uuid7()
    provider = Provider.objects.create(
        id=identifier,
        organisation_id=organisation_of(actor),
        slug=slug,
        name=name,
        base_url=_checked_url(base_url),
        api=_checked_api(api),
        sealed_key=_sealed(key, identifier),
        rehearsal=rehearsal,
    )
    details = {"base_url": provider.base_url, "api": api, "rehearsal": rehearsal, "key": bool(key)}
    record(
        entry(actor, "provider.add", target_kind="provider", target_id=identifier, target_name=name, details=details)
    )
    return provider


@transaction.atomic
def update_provider(
    *, actor: Actor, provider: Provider, name: str, base_url: str, api: str, key: str | None = None, enabled: bool
) -> Provider:
    """Change it. No `key` keeps the former one, an empty one removes it; another address needs the key again."""
    refuse_agent(actor)
    provider = Provider.objects.select_for_update().get(pk=provider.pk)
    base_url = _checked_url(base_url)
    moved = _origin(base_url) != _origin(provider.base_url)
    if moved and key is None and provider.sealed_key:
        # Otherwise whoever may edit a provider could have its key sent to a server of their own.
        raise InvalidError("The address leads to another server: give the key for it, too.", "key")
    provider.name, provider.base_url = checked_text(name, 120), base_url
    provider.api, provider.enabled = _checked_api(api), enabled
    if key is not None:
        provider.sealed_key = _sealed(key, provider.id)
    provider.save()
    details = {"base_url": base_url, "api": api, "enabled": enabled, "key_changed": key is not None}
    record(
        entry(
            actor,
            "provider.update",
            target_kind="provider",
            target_id=provider.id,
            target_name=provider.name,
            details=details,
        )
    )
    return provider


@transaction.atomic
def add_language_model(
    *, actor: Actor, provider: Provider, slug: str, name: str, wire_name: str, context_window: int, max_output: int
) -> LanguageModel:
    """A model that teams may use. Without a price it cannot be called."""
    refuse_agent(actor)
    slug, name = checked_slug(slug, 80), checked_text(name, 120)
    wire_name = checked_text(wire_name, 160, "wire_name")
    context_window = checked_number(context_window, 1, MOST_TOKENS, "context_window")
    max_output = checked_number(max_output, 1, context_window, "max_output")
    if LanguageModel.objects.filter(organisation_id=provider.organisation_id, slug=slug).exists():
        raise ConflictError(f"There is a model {slug} already: choose another short name.")
    model = LanguageModel.objects.create(
        organisation_id=provider.organisation_id,
        provider=provider,
        slug=slug,
        name=name,
        wire_name=wire_name,
        context_window=context_window,
        max_output=max_output,
    )
    details = {"provider": provider.slug, "slug": slug, "wire_name": wire_name}
    record(entry(actor, "model.add", target_kind="model", target_id=model.id, target_name=name, details=details))
    return model


@transaction.atomic
def set_price(
    *, actor: Actor, language_model: LanguageModel, currency: str, input_per_million: int, output_per_million: int
) -> Price:
    """From now on it costs this, in micro-units of the organisation's currency for a million tokens."""
    refuse_agent(actor)
    own = language_model.organisation.currency
    if checked_currency(currency) != own:
        raise InvalidError(f"Budgets are in {own}: give the price in {own}.", "currency")
    price = Price.objects.create(
        organisation_id=language_model.organisation_id,
        language_model=language_model,
        currency=currency,
        input_per_million=checked_number(input_per_million, 0, DEAREST, "input_per_million"),
        output_per_million=checked_number(output_per_million, 0, DEAREST, "output_per_million"),
    )
    details = {"currency": currency, "input_per_million": input_per_million, "output_per_million": output_per_million}
    record(
        entry(
            actor,
            "model.set_price",
            target_kind="model",
            target_id=language_model.id,
            target_name=language_model.name,
            details=details,
        )
    )
    return price


def _sealed(key: str, provider: UUID) -> str:
    return seal(key.strip(), context=f"provider:{provider}") if key.strip() else ""


def _checked_url(value: str) -> str:
    value = value.strip().rstrip("/")
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or len(value) > 300 or any(letter.isspace() or not letter.isprintable() for letter in value):  # noqa: PLR2004 - the column
        raise InvalidError("This is no address: give one such as https://api.example.org/v1.", "base_url")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidError("The address holds more than server and path: put a key into the key's field.", "base_url")
    return value


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _checked_api(value: str) -> str:
    if value not in InferenceApi.values:
        raise InvalidError(f"There is no API {value!r}: use {' or '.join(InferenceApi.values)}.", "api")
    return value
