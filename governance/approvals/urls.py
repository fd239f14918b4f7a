"""Addresses of the approvals' pages."""

from django.urls import path, re_path
from django.urls.converters import UUIDConverter

from governance.approvals.views import Approval, Approvals, Decide

urlpatterns = [
    path("approvals/", Approvals.as_view(), name="approvals"),
    path("approvals/<uuid:request_id>/", Approval.as_view(), name="approval"),
    re_path(
        rf"^approvals/(?P<request_id>{UUIDConverter.regex})/(?P<answer>approve|deny)/$",
        Decide.as_view(),
        name="approval-decide",
    ),
]
