"""Registers the ground of all tables."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Holds the database functions that other apps' migrations use."""

    name = "foundation.tenancy"
    label = "tenancy"
