"""Settings: leaving the organisation, by oneself."""

from collections.abc import Mapping
from typing import Any

from django import forms

from agents.schedules.offboarding import belongings_of
from foundation.access.guards import UnknownError
from foundation.delegation.leaving import leave_for_good
from foundation.identity.models import Principal, PrincipalKind
from foundation.identity.step_up import require_fresh
from foundation.web.forms import FormPage


class LeaveForm(forms.Form):
    """Said twice, as it cannot be undone."""

    reason = forms.CharField(max_length=300, required=False, help_text="It stays in the record.")
    sure = forms.BooleanField(label="I leave this organisation for good")


class Leave(FormPage):
    """Keys, roles and sessions of oneself end here; what one answers for needs somebody else."""

    personal = True
    place = "settings"
    template = "console/leave.html"
    form = LeaveForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Oneself, signed in of late."""
        require_fresh(self.actor)
        found = Principal.objects.filter(id__in=[self.actor.principal], kind=PrincipalKind.PERSON).first()
        if found is None:
            raise UnknownError("person")
        self.person = found

    def context(self) -> Mapping[str, Any]:
        """What hangs on the person."""
        return {"held": belongings_of(self.person), "organisation": self.organisation, "tab": "security"}

    def done(self, values: Mapping[str, Any]) -> str:
        """On to another organisation, or to the sign-in."""
        leave_for_good(actor=self.actor, principal=self.person, reason=values["reason"])
        return "/"
