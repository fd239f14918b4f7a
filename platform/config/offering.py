"""The local model in an organisation's catalogue: provider, language model and price, as a person would add them."""

from django.conf import settings

from agents.catalogue.models import LanguageModel, Provider
from agents.catalogue.services import add_language_model, add_provider, set_price, update_provider
from config.local_model import ALIAS, CONTEXT
from config.sample.definition import SAMPLE
from foundation.actors import shell_actor
from foundation.errors import InvalidError
from foundation.organisations.models import Organisation
from foundation.tenancy.context import tenant

PROVIDER = "local"
# About what the electricity costs (25 W; 400 tokens read and 100 written in a second), in micro-units of EUR.
INPUT_PER_MILLION = 5_000
OUTPUT_PER_MILLION = 25_000
MOST_OUTPUT = 1_024  # tokens


def offer_local_model(slug: str | None = None) -> str:
    """Add the local model to the organisation (by default the sample's), or follow its address; says what was done.

    What people changed about it stays: its price, and whether it is enabled. Raises InvalidError, ConflictError.
    """
    address = settings.REMIT_LOCAL_MODEL_URL
    if not address:
        raise InvalidError(
            "The local model has no address: start it with `manage.py up --local-model`, or set REMIT_LOCAL_MODEL_URL."
        )
    found = Organisation.objects.using("system").filter(slug=slug or SAMPLE.slug).values_list("id", flat=True).first()
    if found is None and slug is None:
        return (
            "There is no sample organisation: offer the model with `manage.py offer_local_model --organisation SLUG`."
        )
    if found is None:
        raise InvalidError(f"There is no organisation {slug!r}.")
    with tenant(found):
        organisation = Organisation.objects.get(pk=found)
        provider = Provider.objects.filter(slug=PROVIDER).first()
        if provider is None:
            return _add(organisation, address)
        return _follow(organisation, provider, address)


def _add(organisation: Organisation, address: str) -> str:
    actor = shell_actor(organisation.id)
    provider = add_provider(actor=actor, slug=PROVIDER, name="Local model", base_url=address, api="chat")
    model = add_language_model(
        actor=actor,
        provider=provider,
        slug=ALIAS,
        name="SmolLM2 135M, on this machine",
        wire_name=ALIAS,
        context_window=CONTEXT,
        max_output=MOST_OUTPUT,
    )
    set_price(
        actor=actor,
        language_model=model,
        currency=organisation.currency,
        input_per_million=INPUT_PER_MILLION,
        output_per_million=OUTPUT_PER_MILLION,
    )
    return f"The model {ALIAS} was added to {organisation.slug}."


def _follow(organisation: Organisation, provider: Provider, address: str) -> str:
    ours = LanguageModel.objects.filter(provider=provider, slug=ALIAS).exists() and not provider.sealed_key
    if not ours:
        raise InvalidError(
            f"{organisation.slug} has a provider {PROVIDER} that is not the local model: start without --local-model."
        )
    if provider.base_url == address:
        return f"{organisation.slug} has the model {ALIAS} already: nothing was changed."
    update_provider(
        actor=shell_actor(organisation.id),
        provider=provider,
        name=provider.name,
        base_url=address,
        api=provider.api,
        enabled=provider.enabled,
    )
    return f"The provider {PROVIDER} of {organisation.slug} now points to {address}."
