"""Every address of Remit but the event stream and the health checks, which stand in front of Django (config.asgi)."""

from django.urls import include, path, re_path

from console.api.scim import ScimDoor

urlpatterns = [
    path("api/", include("config.api_urls")),
    re_path(r"^scim/v2(?P<path>/.*)?$", ScimDoor.as_view(), name="scim"),
    path("", include("console.urls")),
    path("", include("agents.catalogue.urls")),
    path("", include("agents.tools.urls")),
    path("", include("agents.registry.urls")),
    path("", include("agents.runs.urls")),
    path("", include("agents.schedules.urls")),
    path("", include("governance.policies.urls")),
    path("", include("governance.budgets.urls")),
    path("", include("governance.approvals.urls")),
]
handler400 = "foundation.web.errors.bad_request"
handler403 = "foundation.web.errors.permission_denied"
handler404 = "foundation.web.errors.page_not_found"
handler500 = "foundation.web.errors.server_error"
