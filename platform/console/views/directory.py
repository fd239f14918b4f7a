"""Settings: the directory that keeps people and groups over SCIM."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse

from foundation.access.roles import Permission
from foundation.provisioning.models import ProvisionedResource
from foundation.web.pages import Page


class Directory(Page):
    """Where a directory calls, and what it keeps here."""

    permission = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/directory.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The address, and figures of what is kept."""
        self.require()
        kept = ProvisionedResource.objects.filter(organisation_id=self.tenant)
        kinds = {
            row["kind"]: row for row in kept.order_by().values("kind").annotate(n=Count("id"), at=Max("modified_at"))
        }
        people: Mapping[str, Any] = kinds.get(ProvisionedResource.Kind.USER, {})
        groups: Mapping[str, Any] = kinds.get(ProvisionedResource.Kind.GROUP, {})
        return self.render({
            "url": f"{settings.PUBLIC_URL}/scim/v2",
            "people": people.get("n", 0),
            "groups": groups.get("n", 0),
            "last": max((one["at"] for one in (people, groups) if one), default=None),
            "tab": "directory",
        })  # fmt: skip
