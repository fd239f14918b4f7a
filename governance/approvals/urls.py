"""Addresses of the approvals' pages."""

from django.urls import path, re_path

from governance.approvals.views import Approval, Approvals, Decide

urlpatterns = [
    path("approvals/", Approvals.as_view(), name="approvals"),
    path("approvals/<uuid:request_id>/", Approval.as_view(), name="approval"),
    re_path(
        r"^approvals/(?P<request_id>[0-9a-f-]{36})/(?P<answer>approve|deny)/$", Decide.as_view(), name="approval-decide"
    ),
]
