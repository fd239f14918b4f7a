"""Addresses of the policies' pages."""

from django.urls import path

from governance.policies.views import ChangeMode, EditPolicy, NewPolicy, Policies, PolicyPage, Try

urlpatterns = [
    path("policies/", Policies.as_view(), name="policies"),
    path("policies/new", NewPolicy.as_view(), name="policy-new"),
    path("policies/try/", Try.as_view(), name="policy-try"),
    path("policies/<slug:slug>/", PolicyPage.as_view(), name="policy"),
    path("policies/<slug:slug>/edit/", EditPolicy.as_view(), name="policy-edit"),
    path("policies/<slug:slug>/mode/", ChangeMode.as_view(), name="policy-mode"),
]
