"""Registers the ground of the REST API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Base classes only: the endpoints stand in each app's `api.py`."""

    name = "foundation.api"
    label = "api"
