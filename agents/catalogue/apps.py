"""Where inference is bought, which models teams may use, and what they cost."""

from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    """Where inference is bought, which models teams may use, and what they cost."""

    name = "agents.catalogue"
    label = "catalogue"
