"""Cedar policies, their versions, and the decisions that they gave."""

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """Cedar policies, their versions, and the decisions that they gave."""

    name = "governance.policies"
    label = "policies"
