"""Providers, language models and their prices. Which model is *allowed* is a policy; these are the facts."""

from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Now

from foundation.access.models import PermittedQuerySet
from foundation.tenancy.models import TenantForeignKey, TenantModel

MOST_TOKENS = 100_000_000  # that any model takes or gives at once


class InferenceApi(models.TextChoices):
    """Which OpenAI-compatible call an endpoint understands."""

    RESPONSES = "responses", "Responses"
    CHAT = "chat", "Chat Completions"


class Provider(TenantModel):
    """Where inference is bought: an OpenAI-compatible endpoint. `sealed_key` is never shown again.

    `rehearsal` marks an endpoint that plays a model: every run that used it is labelled so.
    """

    target_path: ClassVar[str] = ""
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    base_url = models.URLField(max_length=300)
    api = models.CharField(max_length=9, choices=InferenceApi, default=InferenceApi.RESPONSES)
    sealed_key = models.TextField(blank=True)
    rehearsal = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)

    objects = PermittedQuerySet["Provider"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="provider_slug")]

    def __str__(self) -> str:
        return self.name


class LanguageModel(TenantModel):
    """A model that teams may use. `wire_name` is what the endpoint calls it; sizes are in tokens."""

    target_path: ClassVar[str] = ""
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    provider = TenantForeignKey(Provider, related_name="models")
    wire_name = models.CharField(max_length=160)
    context_window = models.PositiveIntegerField(default=128_000)
    max_output = models.PositiveIntegerField(default=4_096)
    enabled = models.BooleanField(default=True)

    objects = PermittedQuerySet["LanguageModel"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="languagemodel_slug")]

    def __str__(self) -> str:
        return self.name


class PriceQuerySet(models.QuerySet["Price"]):
    """Words on prices."""

    def current(self) -> Self:
        """Those in force, the newest first."""
        return self.filter(since__lte=Now()).order_by("-since", "-id")


class Price(TenantModel):
    """What a model costs from a moment on, in micro-units of `currency` for a million tokens. Never changed."""

    language_model = TenantForeignKey(LanguageModel, related_name="prices")
    currency = models.CharField(max_length=3)
    input_per_million = models.BigIntegerField()
    output_per_million = models.BigIntegerField()
    since = models.DateTimeField(db_default=Now())

    objects = PriceQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(input_per_million__gte=0, output_per_million__gte=0), name="price_not_negative"
            )
        ]

    def __str__(self) -> str:
        return f"{self.input_per_million}/{self.output_per_million} {self.currency}"

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Micro-units for so many tokens, rounded up: a reservation is an upper bound."""
        return -(-(input_tokens * self.input_per_million + output_tokens * self.output_per_million) // 1_000_000)
