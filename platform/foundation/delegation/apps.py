"""Delegation: what a person lets an agent do in its name, and the tokens that say so."""

from django.apps import AppConfig


class DelegationConfig(AppConfig):
    """Delegation: what a person lets an agent do in its name, and the tokens that say so."""

    name = "foundation.delegation"
    label = "delegation"
