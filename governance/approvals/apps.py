"""Asks that wait for people, and their votes."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Asks that wait for people, and their votes."""

    name = "governance.approvals"
    label = "approvals"
