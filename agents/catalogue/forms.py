"""Forms on providers, models and prices."""

from decimal import Decimal

from django import forms

from agents.catalogue.models import InferenceApi

MICRO = 1_000_000


class ProviderForm(forms.Form):
    """An OpenAI-compatible endpoint."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(label="Short name", max_length=60)
    base_url = forms.CharField(label="Base URL", max_length=300, help_text="Such as https://api.example.org/v1.")
    api = forms.ChoiceField(label="API", choices=InferenceApi.choices)
    key = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="It is sealed, and never shown again.",
    )


class ModelForm(forms.Form):
    """A model of a provider, and its price."""

    provider = forms.ChoiceField()
    name = forms.CharField(max_length=120)
    slug = forms.SlugField(label="Short name", max_length=80)
    wire_name = forms.CharField(label="Name at the endpoint", max_length=160)
    context_window = forms.IntegerField(label="Context window, in tokens", min_value=1, initial=128_000)
    max_output = forms.IntegerField(label="Most output tokens", min_value=1, initial=4_096)
    input_price = forms.DecimalField(label="Price of a million input tokens", min_value=0, decimal_places=6)
    output_price = forms.DecimalField(label="Price of a million output tokens", min_value=0, decimal_places=6)


def micro(amount: Decimal) -> int:
    """Micro-units of an amount of money."""
    return int(amount * MICRO)
