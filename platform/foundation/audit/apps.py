"""Registers the record."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Entries, their log, and the commands that verify it."""

    name = "foundation.audit"
    label = "audit"
