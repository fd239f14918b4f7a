"""The organisation."""

from typing import Any

from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.serializers import Shape
from foundation.api.viewsets import Endpoints
from foundation.organisations.models import Organisation


class OrganisationShape(Shape):
    """The tenant; `currency` is that of its budgets."""

    class Meta:
        model = Organisation
        fields = ["id", "slug", "name", "currency", "created_at"]


class OrganisationEndpoints(Endpoints):
    """The actor's own organisation: there is no other one to see."""

    shape = OrganisationShape
    permission = Permission.ORGANISATION_VIEW

    @operation("Show the organisation")
    def show_own(self, _values: Any) -> Organisation:
        """The row; row-level security knows no other one."""
        return self.organisation
