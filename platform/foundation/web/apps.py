"""Registers the components, their templates' tags and their static files."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Static files under `remit/` and the template library `remit`."""

    name = "foundation.web"
    label = "web"
