"""Addresses of the schedules' and triggers' pages."""

from django.urls import path

from agents.schedules import trigger_views, views

urlpatterns = [
    path("schedules/", views.Schedules.as_view(), name="schedules"),
    path("triggers/", trigger_views.Triggers.as_view(), name="triggers"),
]
