"""The organisation."""

from typing import Any

from rest_framework import serializers

from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Endpoints
from foundation.delegation.leaving import leave_for_good
from foundation.errors import InvalidError
from foundation.identity.models import Principal, PrincipalKind
from foundation.identity.step_up import require_fresh
from foundation.organisations.models import Organisation


class OrganisationShape(Shape):
    """The tenant; `currency` is that of its budgets."""

    class Meta:
        model = Organisation
        fields = ["id", "slug", "name", "currency", "created_at"]


class LeaveOrganisation(Body):
    """`sure` must be true: it cannot be undone."""

    sure = serializers.BooleanField()
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class OrganisationEndpoints(Endpoints):
    """The actor's own organisation: there is no other one to see."""

    shape = OrganisationShape
    permission = Permission.ORGANISATION_VIEW

    @operation("Show the organisation")
    def show_own(self, _values: Any) -> Organisation:
        """The row; row-level security knows no other one."""
        return self.organisation

    @operation("Leave the organisation for good", body=LeaveOrganisation, status=204)
    def leave(self, values: Any) -> None:
        """Your own keys, roles, delegations and sessions end here; what you answer for needs somebody else."""
        require_fresh(self.actor)
        if self.actor.scopes is not None:
            raise InvalidError("This key is narrowed: leave with one that may all that you may, or in the console.")
        if not values["sure"]:
            raise InvalidError("Say that you are sure: it cannot be undone.", "sure")
        person = Principal.objects.filter(id__in=[self.actor.principal], kind=PrincipalKind.PERSON).first()
        if person is None:
            raise UnknownError("person")
        leave_for_good(actor=self.actor, principal=person, reason=values["reason"])
