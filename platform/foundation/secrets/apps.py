"""Registers the command that rotates the sealing key."""

from django.apps import AppConfig


class SecretsConfig(AppConfig):
    """It has no models."""

    name = "foundation.secrets"
    label = "secrets"
