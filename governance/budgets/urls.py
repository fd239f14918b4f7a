"""Addresses of the costs' pages."""

from django.urls import path

from governance.budgets.views import Costs, SetBudget

urlpatterns = [
    path("costs/", Costs.as_view(), name="costs"),
    path("costs/budget", SetBudget.as_view(), name="budget-set"),
]
