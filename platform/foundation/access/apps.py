"""Roles, grants, and the one question: may this actor do this here?"""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Roles, grants, and the one question: may this actor do this here?"""

    name = "foundation.access"
    label = "access"
