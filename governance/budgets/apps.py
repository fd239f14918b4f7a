"""Ceilings on spend, money held before a call, and the ledger."""

from django.apps import AppConfig


class BudgetsConfig(AppConfig):
    """Ceilings on spend, money held before a call, and the ledger."""

    name = "governance.budgets"
    label = "budgets"
