"""The tenant, its teams, and what a grant can point at."""

from django.apps import AppConfig


class OrganisationsConfig(AppConfig):
    """The tenant, its teams, and what a grant can point at."""

    name = "foundation.organisations"
    label = "organisations"
