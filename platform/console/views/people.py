"""Settings: the people of the organisation, and one's own password."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from console.forms import PasswordForm, PersonForm
from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.identity.lookups import user_by_id
from foundation.identity.models import Membership, Principal, PrincipalKind
from foundation.identity.services import add_person, change_password, restore_principal, suspend_principal
from foundation.identity.sign_in import keep_signed_in
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page


class Settings(Page):
    """Where what is set, and for whom."""

    personal = True
    place = "settings"
    template = "console/settings.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The list of settings."""
        return self.render({"organisation": self.organisation})


class People(FormPage):
    """Who belongs to the organisation; whoever may, adds more."""

    permission = Permission.PERSON_VIEW
    writing = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/people.html"
    form = PersonForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Adding is for the whole organisation."""
        if self.request.method == "POST":
            self.require()

    def context(self) -> Mapping[str, Any]:
        """People with their roles: three queries, however many."""
        people = Membership.objects.filter(organisation_id=self.tenant).select_related("principal", "user")
        people = people.prefetch_related("principal__grants__target").order_by("principal__name")
        services = Principal.objects.filter(organisation_id=self.tenant, kind=PrincipalKind.SERVICE)
        return {
            "people": people,
            "services": services.prefetch_related("grants__target").order_by("name"),
            "why_not": self.why_not(Permission.PERSON_MANAGE),
            "tab": "people",
        }

    def done(self, values: Mapping[str, Any]) -> str:
        """To the new person's first role."""
        organisation = self.organisation
        membership = add_person(actor=self.actor, organisation=organisation, **values)
        self.say(f"{membership.principal.name} is in. Give a role, and make a sign-in link in the shell.")
        return f"/settings/roles/?principal={membership.principal_id}"


class Suspend(Act):
    """Keys and sessions of a person or service stop at once."""

    permission = Permission.PERSON_MANAGE

    def act(self, principal_id: UUID) -> str:
        """Back to the people."""
        self.require()
        suspend_principal(
            actor=self.actor, principal=_principal(principal_id), reason=self.request.POST.get("reason", "")
        )
        return "/settings/people/"


class Restore(Act):
    """May act again."""

    permission = Permission.PERSON_MANAGE

    def act(self, principal_id: UUID) -> str:
        """Back to the people."""
        self.require()
        restore_principal(actor=self.actor, principal=_principal(principal_id))
        return "/settings/people/"


class Password(FormPage):
    """One's own password."""

    personal = True
    place = "settings"
    template = "console/password.html"
    form = PasswordForm

    def context(self) -> Mapping[str, Any]:
        """The chosen tab."""
        return {"tab": "password"}

    def done(self, values: Mapping[str, Any]) -> str:
        """This session goes on, all others end."""
        user = user_by_id(self.actor.user) if self.actor.user else None
        if user is None:
            raise InvalidError("Only a person has a password.")
        change_password(actor=self.actor, user=user, password=values["password"])
        self.request.user = user  # Django renews the session of this attribute only
        keep_signed_in(self.request, user)
        self.say("The password is changed. Your other sessions have ended.")
        return "/settings/"


def _principal(identifier: UUID) -> Principal:
    found = Principal.objects.filter(pk=identifier).exclude(kind=PrincipalKind.AGENT).first()
    if found is None:
        raise UnknownError("person")
    return found
