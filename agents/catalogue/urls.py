"""Addresses of the catalogue's pages."""

from django.urls import path

from agents.catalogue.views import Models, NewModel, NewProvider

urlpatterns = [
    path("settings/models/", Models.as_view(), name="models"),
    path("settings/models/new", NewModel.as_view(), name="model-new"),
    path("settings/providers/new", NewProvider.as_view(), name="provider-new"),
]
