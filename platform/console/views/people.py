"""Settings: the people of the organisation, and one's own password."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse

from agents.schedules.offboarding import belongings_of, offboard_person
from console.forms import OffboardForm, PasswordForm
from foundation.access.guards import UnknownError
from foundation.access.people import stop_person
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.identity.lookups import user_by_id
from foundation.identity.models import GroupMember, Membership, Principal, PrincipalKind, PrincipalState
from foundation.identity.services import change_password, restore_principal
from foundation.identity.sessions import end_sessions_of
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


class People(Page):
    """Who belongs to the organisation; whoever may, invites more."""

    permission = Permission.PERSON_VIEW
    place = "settings"
    template = "console/people.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """People with their roles: as many queries, however many they are."""
        people = Membership.objects.filter(organisation_id=self.tenant).select_related("principal", "user")
        people = people.prefetch_related("principal__grants__target").order_by("principal__name")
        why_not = self.why_not(Permission.PERSON_MANAGE)
        return self.render({"people": people, "why_not": why_not, "tab": "people"})


class Person(FormPage):
    """One person, what hangs on it, and its leaving."""

    permission = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/person.html"
    form = OffboardForm

    def load(self, **address: Any) -> None:
        """The person, and who could take over."""
        self.require()
        self._person = _principal(address["principal_id"], PrincipalKind.PERSON)
        others = Principal.objects.filter(kind=PrincipalKind.PERSON, state=PrincipalState.ACTIVE)
        self._others = {str(one.id): one for one in others.exclude(pk=self._person.pk).order_by("name")[:500]}

    def context(self) -> Mapping[str, Any]:
        """What hangs on the person."""
        membership = self._person.memberships.select_related("user").first()
        groups = GroupMember.objects.filter(member=self._person).select_related("group").order_by("group__name")
        return {
            "person": self._person,
            "address": membership.user.email if membership else "",
            "belongings": belongings_of(self._person),
            "groups": groups,
            "is_self": self._person.id == self.actor.principal,
            "tab": "people",
        }

    def make(self, data: Any = None) -> forms.Form:
        """With those who could take over."""
        form = super().make(data)
        choices = [("", "Nobody"), *((key, one.name) for key, one in self._others.items())]
        form.fields["successor"] = forms.ChoiceField(
            choices=choices, required=False, help_text=form.fields["successor"].help_text
        )
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the people."""
        successor = self._others.get(values["successor"])
        offboard_person(
            actor=self.actor, person=self._person, successor=successor, reason=values["reason"], roles=values["roles"]
        )
        self.say(f"{self._person.name} has left: keys and sessions have ended.")
        return "/settings/people/"


class Suspend(Act):
    """Keys and sessions of a person or service stop at once."""

    permission = Permission.PERSON_MANAGE

    def act(self, principal_id: UUID) -> str:
        """Back to the people."""
        self.require()
        principal = _principal(principal_id)
        stop_person(actor=self.actor, principal=principal, reason=self.request.POST.get("reason", ""))
        return _page_of(principal)


class EndSessions(Act):
    """Signs a person out here, in every browser."""

    permission = Permission.PERSON_MANAGE

    def act(self, principal_id: UUID) -> str:
        """Back to the person."""
        self.require()
        person = _principal(principal_id, PrincipalKind.PERSON)
        end_sessions_of(actor=self.actor, person=person)
        self.say(f"{person.name} is signed out here, in every browser.")
        return f"/settings/people/{person.id}/"


class Restore(Act):
    """May act again."""

    permission = Permission.PERSON_MANAGE

    def act(self, principal_id: UUID) -> str:
        """Back to the people."""
        self.require()
        principal = _principal(principal_id)
        restore_principal(actor=self.actor, principal=principal)
        return _page_of(principal)


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


def _principal(identifier: UUID, *kinds: PrincipalKind) -> Principal:
    wanted = kinds or (PrincipalKind.PERSON, PrincipalKind.SERVICE)
    found = Principal.objects.filter(pk=identifier, kind__in=wanted).first()
    if found is None:
        raise UnknownError("person")
    return found


def _page_of(principal: Principal) -> str:
    return "/settings/services/" if principal.kind == PrincipalKind.SERVICE else "/settings/people/"
