"""REST endpoints of providers, language models and prices."""

from typing import Any

from rest_framework import serializers

from agents.catalogue.models import InferenceApi, LanguageModel, Price, Provider
from agents.catalogue.services import add_language_model, add_provider, set_price, update_provider
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read

LARGEST = 2**53 - 1  # the largest integer that every JSON reader keeps exactly


class ProviderShape(Shape):
    """Where inference is bought. Its key is never shown: `has_key` says whether there is one."""

    has_key = serializers.SerializerMethodField()

    class Meta:
        model = Provider
        fields = ["id", "slug", "name", "base_url", "api", "has_key", "rehearsal", "enabled", "created_at"]

    def get_has_key(self, provider: Provider) -> bool:
        """Whether a key is sealed in."""
        return bool(provider.sealed_key)


class AddProvider(Body):
    """An OpenAI-compatible endpoint. `key` is sealed and never shown again."""

    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    base_url = serializers.URLField(max_length=300)
    api = serializers.ChoiceField(choices=InferenceApi.choices, default=InferenceApi.RESPONSES)
    key = serializers.CharField(max_length=1000, write_only=True, allow_blank=True, default="")
    rehearsal = serializers.BooleanField(default=False)


class ChangeProvider(Body):
    """Only what is given changes; an empty `key` takes the key away."""

    name = serializers.CharField(max_length=120, required=False)
    base_url = serializers.URLField(max_length=300, required=False)
    api = serializers.ChoiceField(choices=InferenceApi.choices, required=False)
    key = serializers.CharField(max_length=1000, write_only=True, allow_blank=True, required=False)
    enabled = serializers.BooleanField(required=False)


class ProviderName(Shape):
    """Which provider."""

    class Meta:
        model = Provider
        fields = ["id", "slug", "name", "rehearsal"]


class LanguageModelShape(Shape):
    """A model that teams may use; sizes in tokens."""

    provider = ProviderName()

    class Meta:
        model = LanguageModel
        fields = ["id", "slug", "name", "provider", "wire_name", "context_window", "max_output", "enabled",
                  "created_at"]  # fmt: skip


class AddLanguageModel(Body):
    """`wire_name` is what the endpoint calls it."""

    provider = serializers.CharField(help_text="Id or slug.")
    slug = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=120)
    wire_name = serializers.CharField(max_length=160)
    context_window = serializers.IntegerField(min_value=1, max_value=100_000_000, default=128_000)
    max_output = serializers.IntegerField(min_value=1, max_value=10_000_000, default=4_096)


class PriceShape(Shape):
    """In micro-units of `currency` for a million tokens, from `since` on."""

    class Meta:
        model = Price
        fields = ["id", "currency", "input_per_million", "output_per_million", "since"]


class SetPrice(Body):
    """From now on; earlier prices stay as they were."""

    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217.")
    input_per_million = serializers.IntegerField(min_value=0, max_value=LARGEST)
    output_per_million = serializers.IntegerField(min_value=0, max_value=LARGEST)


class ProviderEndpoints(Read):
    """Providers of the organisation."""

    rows = Provider.objects.all()
    shape = ProviderShape
    permission = Permission.MODEL_VIEW
    filterset_fields = ["enabled", "rehearsal"]

    @operation("Add a provider", Permission.MODEL_MANAGE, body=AddProvider, status=201)
    def create(self, values: Any) -> Provider:
        """Its models are added one by one."""
        self.require()
        return add_provider(actor=self.actor, **values)

    @operation("Change a provider", Permission.MODEL_MANAGE, body=ChangeProvider)
    def partial_update(self, values: Any) -> Provider:
        """What is not given stays."""
        provider: Provider = self.get_object()
        now = {name: getattr(provider, name) for name in ("name", "base_url", "api", "enabled")}
        return update_provider(actor=self.actor, provider=provider, **(now | {"key": None} | values))


class LanguageModelEndpoints(Read):
    """Language models, and what they cost."""

    rows = LanguageModel.objects.select_related("provider")
    shape = LanguageModelShape
    permission = Permission.MODEL_VIEW
    filterset_fields = ["enabled", "provider"]

    @operation("Add a language model", Permission.MODEL_MANAGE, body=AddLanguageModel, status=201)
    def create(self, values: Any) -> LanguageModel:
        """Without a price it cannot be used: an unknown cost refuses."""
        self.require()
        provider = self.find(Provider.objects.all(), values.pop("provider"))
        return add_language_model(actor=self.actor, provider=provider, **values)

    @verb("get", "prices", "List the prices of a language model", answer=PriceShape, many=True)
    def prices(self, _values: Any) -> Any:
        """All that were ever in force."""
        return Price.objects.filter(language_model=self.get_object()).order_by("-id")

    @prices.mapping.post  # type: ignore[untyped-decorator]  # of an Any
    @operation("Set the price of a language model", Permission.MODEL_MANAGE, body=SetPrice, answer=PriceShape,
               status=201)  # fmt: skip
    def set_price(self, values: Any) -> Price:
        """It counts from now on."""
        return set_price(actor=self.actor, language_model=self.get_object(), **values)
