"""Addresses that belong to no page."""

from django.urls import path

from foundation.web import views

urlpatterns = [
    path("csp-report", views.csp_report, name="csp-report"),
    path("theme", views.switch_theme, name="theme"),
]
