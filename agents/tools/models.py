"""Connectors, tools and credentials as rows."""

from typing import ClassVar

from django.db import models

from agents.tools.port import ToolEffect
from foundation.access.models import PermittedQuerySet
from foundation.tenancy.models import TenantForeignKey, TenantModel


class Credential(TenantModel):
    """A sealed secret that a connector uses; never shown again."""

    target_path: ClassVar[str] = ""
    name = models.CharField(max_length=120)
    sealed = models.TextField()

    objects = PermittedQuerySet["Credential"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="credential_name")]

    def __str__(self) -> str:
        return self.name


class TokenHeader(models.TextChoices):
    """Whether calls of a connector's tools carry a run token, and where."""

    NONE = "", "No token"
    AUTHORIZATION = "authorization", "Authorization: Bearer"
    OWN = "remit-run-token", "Remit-Run-Token"


class Connector(TenantModel):
    """A source of tools: its kind (a name in `settings.CONNECTOR_KINDS`), plain settings, and its credential.

    With a `token_header` its calls carry a run token for `audience` (empty: its short name). `on_behalf_of`: it is
    called in the name of a person only, never by an agent alone.
    """

    target_path: ClassVar[str] = ""
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=60)
    settings = models.JSONField(default=dict)
    credential = TenantForeignKey(Credential, null=True, blank=True, related_name="connectors")
    enabled = models.BooleanField(default=True)
    token_header = models.CharField(max_length=15, choices=TokenHeader, blank=True, default="", db_default="")
    audience = models.CharField(max_length=120, blank=True, default="", db_default="")
    on_behalf_of = models.BooleanField(default=False, db_default=False)

    objects = PermittedQuerySet["Connector"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="connector_slug")]

    def __str__(self) -> str:
        return self.name

    @property
    def called(self) -> str:
        """The audience of tokens for it."""
        return self.audience or self.slug


class ToolState(models.TextChoices):
    """Whether a tool may be called."""

    ACTIVE = "active"
    IN_REVIEW = "in_review", "In review"
    DISABLED = "disabled"


class Tool(TenantModel):
    """One callable operation. `name` is `<connector slug>.<operation>`.

    `definition_hash` covers description, schema and effect: when the source offers another definition, the tool is
    in review and not callable until a person accepts it. `price` is the most that one call costs, in micro-units of the
    organisation's currency: it is held before the call and booked after it.
    """

    target_path: ClassVar[str] = ""
    connector = TenantForeignKey(Connector, related_name="tools")
    operation = models.CharField(max_length=80)
    name = models.CharField(max_length=160)
    description = models.TextField()
    schema = models.JSONField()
    effect = models.CharField(max_length=10, choices=[(effect.value, effect.value) for effect in ToolEffect])
    definition_hash = models.CharField(max_length=80)
    price = models.BigIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=9, choices=ToolState, default=ToolState.ACTIVE)

    objects = PermittedQuerySet["Tool"].as_manager()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="tool_name")]

    def __str__(self) -> str:
        return self.name
