"""Single sign-on: an organisation's identity providers, and what their groups mean here."""

from django.apps import AppConfig


class FederationConfig(AppConfig):
    """Single sign-on: an organisation's identity providers, and what their groups mean here."""

    name = "foundation.federation"
    label = "federation"
