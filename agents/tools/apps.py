"""Connectors, the tools that they offer, and the credentials that they use."""

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    """Connectors, the tools that they offer, and the credentials that they use."""

    name = "agents.tools"
    label = "tools"
