"""Where inference is bought, which models teams may use, and what they cost."""

from django.apps import AppConfig

from foundation.secrets.columns import register_column


class CatalogueConfig(AppConfig):
    """Where inference is bought, which models teams may use, and what they cost."""

    name = "agents.catalogue"
    label = "catalogue"

    def ready(self) -> None:
        """The rotation of the sealing key covers this app's column."""
        register_column("catalogue.Provider", "sealed_key", lambda row: f"provider:{row.pk}")
