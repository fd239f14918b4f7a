"""Whoever acts: people, agents and services; how they prove it."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Whoever acts: people, agents and services; how they prove it."""

    name = "foundation.identity"
    label = "identity"
