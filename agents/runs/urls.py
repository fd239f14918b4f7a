"""Addresses of the runs', sessions' and workers' pages."""

from django.urls import path

from agents.runs.session_views import SessionPage, Sessions
from agents.runs.views import Cancel, Resolve, Runs, Start
from agents.runs.worker_views import Workers

urlpatterns = [
    path("runs/", Runs.as_view(), name="runs"),
    path("runs/new", Start.as_view(), name="run-start"),
    path("runs/<uuid:run_id>/cancel/", Cancel.as_view(), name="run-cancel"),
    path("runs/<uuid:run_id>/steps/<int:number>/resolve/", Resolve.as_view(), name="run-resolve"),
    path("sessions/", Sessions.as_view(), name="sessions"),
    path("sessions/<uuid:session_id>/", SessionPage.as_view(), name="session"),
    path("workers/", Workers.as_view(), name="workers"),
]
