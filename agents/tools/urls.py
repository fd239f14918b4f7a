"""Addresses of the tools' pages."""

from django.urls import path, re_path

from agents.tools.views import Judge, NewConnector, NewCredential, Refresh, ToolPage, Tools

_NAME = r"(?P<name>[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)"

urlpatterns = [
    path("tools/", Tools.as_view(), name="tools"),
    path("tools/connectors/new", NewConnector.as_view(), name="connector-new"),
    path("tools/credentials/new", NewCredential.as_view(), name="credential-new"),
    path("tools/connectors/<slug:slug>/refresh/", Refresh.as_view(), name="connector-refresh"),
    re_path(rf"^tools/{_NAME}/$", ToolPage.as_view(), name="tool"),
    re_path(rf"^tools/{_NAME}/(?P<verb>accept|disable)/$", Judge.as_view(), name="tool-judge"),
]
