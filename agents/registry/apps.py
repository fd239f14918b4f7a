"""Agents and their immutable, numbered versions."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Agents and their immutable, numbered versions."""

    name = "agents.registry"
    label = "registry"
