"""Provisioning: people and groups kept by a directory over SCIM 2.0."""

from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    """Provisioning: people and groups kept by a directory over SCIM 2.0."""

    name = "foundation.provisioning"
    label = "provisioning"
