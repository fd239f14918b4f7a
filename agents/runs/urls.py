"""Addresses of the runs' pages."""

from django.urls import path

from agents.runs.views import Cancel, Resolve, Runs, Start

urlpatterns = [
    path("runs/", Runs.as_view(), name="runs"),
    path("runs/new", Start.as_view(), name="run-start"),
    path("runs/<uuid:run_id>/cancel/", Cancel.as_view(), name="run-cancel"),
    path("runs/<uuid:run_id>/steps/<int:number>/resolve/", Resolve.as_view(), name="run-resolve"),
]
