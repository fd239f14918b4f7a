"""Pages of providers and language models: a part of the settings."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from agents.catalogue.forms import ModelForm, ProviderForm, micro
from agents.catalogue.models import LanguageModel, Price, Provider
from agents.catalogue.services import add_language_model, add_provider, set_price
from foundation.access.roles import Permission
from foundation.web.forms import FormPage
from foundation.web.pages import Page


class Models(Page):
    """Providers with their models and what these cost."""

    permission = Permission.MODEL_VIEW
    place = "settings"
    template = "agents/models.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Three queries, however many there are."""
        prices: dict[Any, Price] = {}
        for price in Price.objects.filter(organisation_id=self.tenant).current():
            prices.setdefault(price.language_model_id, price)
        models: dict[Any, list[tuple[LanguageModel, Price | None]]] = {}
        for model in self.permitted(LanguageModel.objects.all()).order_by("name"):
            models.setdefault(model.provider_id, []).append((model, prices.get(model.id)))
        providers = self.permitted(Provider.objects.all()).order_by("name")
        groups = [(provider, models.get(provider.id, [])) for provider in providers]
        return self.render({"groups": groups, "why_not": self.why_not(Permission.MODEL_MANAGE), "tab": "models"})


class NewProvider(FormPage):
    """A provider."""

    permission = Permission.MODEL_MANAGE
    place = "settings"
    template = "agents/provider_new.html"
    form = ProviderForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """It belongs to the whole organisation."""
        self.require()

    def done(self, values: Mapping[str, Any]) -> str:
        """To its first model."""
        add_provider(actor=self.actor, **values)
        return "/settings/models/new"


class NewModel(FormPage):
    """A model with its price: without one it could not be called."""

    permission = Permission.MODEL_MANAGE
    place = "settings"
    template = "agents/model_new.html"
    form = ModelForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The providers to choose from, and the money of the organisation."""
        self.require()
        self._providers = {str(one.id): one for one in self.permitted(Provider.objects.all()).order_by("name")}
        self._currency = self.organisation.currency

    def context(self) -> Mapping[str, Any]:
        """The currency of the prices."""
        return {"currency": self._currency}

    def make(self, data: Any = None) -> forms.Form:
        """With the providers."""
        form = super().make(data)
        form.fields["provider"] = forms.ChoiceField(choices=[(key, one.name) for key, one in self._providers.items()])
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the models."""
        provider = self._providers[values["provider"]]
        same = ("slug", "name", "wire_name", "context_window", "max_output")
        described = {name: values[name] for name in same}
        model = add_language_model(actor=self.actor, provider=provider, **described)
        set_price(
            actor=self.actor,
            language_model=model,
            currency=self._currency,
            input_per_million=micro(values["input_price"]),
            output_per_million=micro(values["output_price"]),
        )
        return "/settings/models/"
