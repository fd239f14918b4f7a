"""Connectors, the tools that they offer, and the credentials that they use."""

from django.apps import AppConfig

from foundation.secrets.columns import register_column


class ToolsConfig(AppConfig):
    """Connectors, the tools that they offer, and the credentials that they use."""

    name = "agents.tools"
    label = "tools"

    def ready(self) -> None:
        """The rotation of the sealing key covers this app's column."""
        register_column("tools.Credential", "sealed", lambda row: f"credential:{row.pk}")
