"""Settings: who was asked to join. And the page that an invitation's link opens."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from foundation.access.models import Role
from foundation.access.roles import ROLES, Permission
from foundation.actors import Actor
from foundation.errors import ConflictError, InvalidError
from foundation.identity.attempts import TooManyAttemptsError
from foundation.identity.lookups import user_by_id
from foundation.invitations.joining import InvitationRow, invitation_of, join_as_known, join_as_new
from foundation.invitations.models import Invitation, InvitationQuerySet
from foundation.invitations.services import invite, withdraw_invitation
from foundation.web.errors import too_many
from foundation.web.forms import UNPROCESSABLE, FormPage, tell
from foundation.web.pages import Act, actor_of
from foundation.web.redirects import SeeOther
from foundation.web.targets import covered_targets


class InviteForm(forms.Form):
    """Who is asked to join, as what."""

    email = forms.EmailField(label="E-mail address", help_text="The link is for this address alone.")
    name = forms.CharField(max_length=120, required=False)
    role = forms.ChoiceField(required=False)
    target = forms.ChoiceField(label="On", help_text="It counts for everything below, too.")
    days = forms.IntegerField(min_value=1, max_value=30, initial=7, help_text="So long the link counts.")


class JoinForm(forms.Form):
    """Who joins, and with which password."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        help_text="At least 12 characters.", strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    again = forms.CharField(
        label="Once more", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_again(self) -> str:
        """Both must be the same."""
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password"):
            raise forms.ValidationError("The two are not the same: type both again.")
        return again


class Invitations(FormPage):
    """Open invitations, and a form for one more. A link that no mail has carried is shown on the answer, this once."""

    permission = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/invitations.html"
    form = InviteForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Inviting is for the whole organisation."""
        self.require()
        self._targets = {str(one.id): one for one in covered_targets(self.actor, Permission.PERSON_MANAGE)}

    def context(self) -> Mapping[str, Any]:
        """Those that are open."""
        rows = self.permitted(InvitationQuerySet(Invitation)).filter(accepted_at=None, withdrawn_at=None)
        return {"invitations": rows.select_related("target", "invited_by").order_by("-id")[:200], "tab": "people"}

    def initial(self) -> dict[str, Any]:
        """The least of roles, for the whole organisation."""
        return {"role": "viewer", "target": str(self.tenant), "days": 7}

    def make(self, data: Any = None) -> forms.Form:
        """With roles and targets."""
        form = super().make(data)
        custom = Role.objects.filter(organisation_id=self.tenant).order_by("name")
        roles = [(role, role.replace("-", " ").capitalize()) for role in ROLES]
        choices = [*roles, *((one.slug, one.name) for one in custom), ("", "None yet")]
        form.fields["role"] = forms.ChoiceField(choices=choices, required=False)
        targets = [(key, f"{one.name} ({one.kind})") for key, one in self._targets.items()]
        form.fields["target"] = forms.ChoiceField(
            label="On", choices=targets, help_text="It counts for everything below, too."
        )
        return form

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """The page again, with what became of it."""
        self.load(**address)
        form = self.make(request.POST)
        if form.is_valid():
            values = {**form.cleaned_data, "target": self._targets[form.cleaned_data["target"]]}
            try:
                invited = invite(actor=self.actor, organisation=self.organisation, **values)
            except (InvalidError, ConflictError) as error:
                tell(request, form, error)
            else:
                said = {"invited": invited.invitation, "link": invited.link, "form": self.make()}
                return self.render({**self.context(), **said})
        return self.render({**self.context(), "form": form}, UNPROCESSABLE)


class Withdraw(Act):
    """A link opens nothing any more."""

    permission = Permission.PERSON_MANAGE

    def act(self, invitation_id: UUID) -> str:
        """Back to the list."""
        found = self.found(InvitationQuerySet(Invitation), pk=invitation_id)
        withdraw_invitation(actor=self.actor, invitation=found)
        self.say(f"The invitation of {found.email} is withdrawn.")
        return "/settings/invitations/"


class Accept(View):
    """What the link opens. It is used up by the form, not by opening it.

    It looks the same whether the address is known or not: a link that was shown tells its inviter nothing of that.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Who invites whom, and how to go on."""
        row = invitation_of(token)
        form = JoinForm(initial={"name": row.name}) if row else None
        return self._show(request, token, row, form)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Joins, or says why not."""
        row, actor = invitation_of(token), actor_of(request)
        form = JoinForm(request.POST)
        try:
            if row is not None and _as_signed_in(row, actor):
                join_as_known(request, token, actor)
                return SeeOther("/")
            if row is not None and form.is_valid():
                values = form.cleaned_data
                join_as_new(request, token, name=values["name"], password=values["password"])
                return SeeOther("/")
        except TooManyAttemptsError as error:
            return too_many(request, error.wait)
        except InvalidError as error:
            if row is None or _as_signed_in(row, actor):
                return self._show(request, token, row, form, UNPROCESSABLE, error.message)
            form.add_error(error.field if error.field in form.fields else None, error.message)
        return self._show(request, token, row, form, UNPROCESSABLE)

    def _show(
        self, request: HttpRequest, token: str, row: InvitationRow | None, form: JoinForm | None, status: int = 200,
        problem: str = "",
    ) -> HttpResponse:  # fmt: skip
        actor = actor_of(request)
        user = user_by_id(actor.user) if actor.user else None
        person = user if row is not None and _as_signed_in(row, actor) else None
        mine = person is not None and row is not None and person.id == row.user
        context = {"row": row, "token": token, "form": form, "mine": mine, "person": person, "problem": problem}
        return render(request, "console/invitation.html", context, status=status if row else 404)


def _as_signed_in(row: InvitationRow, actor: Actor) -> bool:
    """Whether whoever is signed in is to join as they are; not where a mailed link has them set a password anew."""
    return actor.user is not None and not (row.fresh and actor.user == row.user)
