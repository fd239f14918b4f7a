"""Addresses of the registry's pages."""

from django.urls import path, re_path

from agents.registry.views import Agents, ChangeSponsor, ChangeState, NewAgent, NewVersion, Serve, Versions

urlpatterns = [
    path("agents/", Agents.as_view(), name="agents"),
    path("agents/new", NewAgent.as_view(), name="agent-new"),
    path("agents/<slug:slug>/versions/", Versions.as_view(), name="agent-versions"),
    path("agents/<slug:slug>/versions/new", NewVersion.as_view(), name="agent-version-new"),
    path("agents/<slug:slug>/versions/<int:number>/serve/", Serve.as_view(), name="agent-serve"),
    path("agents/<slug:slug>/sponsor/", ChangeSponsor.as_view(), name="agent-sponsor"),
    re_path(
        r"^agents/(?P<slug>[-a-z0-9]+)/(?P<verb>submit|return|activate|suspend|retire|take-over)/$",
        ChangeState.as_view(),
        name="agent-state",
    ),
]
