"""Settings: how one signs in oneself: second factors, recovery codes, and the browsers in which one is signed in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import clear_totp_secret, get_totp_secret
from django import forms
from django.http import HttpRequest, HttpResponse

from foundation.access.guards import UnknownError
from foundation.actors import AuthenticationMethod
from foundation.errors import ConflictError, InvalidError
from foundation.identity.factors import add_app, add_passkey, passkey_offer, remove_factor, renew_codes
from foundation.identity.lookups import user_by_id
from foundation.identity.models import User
from foundation.identity.second_factor import factors_of
from foundation.identity.sessions import end_other_sessions, end_session, sessions_of
from foundation.identity.step_up import refuse_foreign, require_fresh
from foundation.web.forms import UNPROCESSABLE, FormPage, tell
from foundation.web.pages import Act, Page

HERE = "/settings/security/"


class AppForm(forms.Form):
    """The first code of an app."""

    code = forms.CharField(
        max_length=10,
        help_text="Six digits, as the app shows them now.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class PasskeyForm(forms.Form):
    """A passkey's name; the script fills in what the browser has made."""

    name = forms.CharField(max_length=60, help_text="So that you know it again, such as Laptop or Blue key.")
    passkey = forms.CharField(max_length=16_384, widget=forms.HiddenInput())


class NoForm(forms.Form):
    """Nothing but the button."""


class Own(Page):
    """The base of what concerns oneself."""

    personal = True
    place = "settings"

    def user(self) -> User:
        """Oneself. Raises InvalidError for whoever is no person with a browser."""
        found = user_by_id(self.actor.user) if self.actor.user else None
        if found is None:
            raise InvalidError("Only a person who is signed in has this.")
        return found


class Security(Own):
    """All at a glance."""

    template = "console/security.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Factors and sessions."""
        person = self.actor.user
        factors = factors_of(person) if person else []
        kinds = Authenticator.Type
        sessions = sessions_of(person) if person else []
        return self.render({
            "tab": "security",
            "app": next((one for one in factors if one.type == kinds.TOTP), None),
            "passkeys": [one for one in factors if one.type == kinds.WEBAUTHN],
            "codes": next((one for one in factors if one.type == kinds.RECOVERY_CODES), None),
            "foreign": self.actor.method is AuthenticationMethod.SINGLE_SIGN_ON,
            "sessions": sessions,
            "this_key": request.session.session_key,
        })  # fmt: skip


class Guarded(Own, FormPage):
    """A form that wants a recent sign-in before it is shown, and answers with recovery codes where there are new."""

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Sends who came in long ago to confirm it first."""
        refuse_foreign(self.actor)
        require_fresh(self.actor)
        self.person = self.user()

    def carry_out(self, values: Mapping[str, Any]) -> list[str]:
        """The act itself; new recovery codes, if it made any."""
        raise NotImplementedError

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """The codes on a page of their own, this once; else back to the settings."""
        self.load(**address)
        form = self.make(request.POST)
        if form.is_valid():
            try:
                codes = self.carry_out(form.cleaned_data)
            except (InvalidError, ConflictError) as error:
                tell(request, form, error)
            else:
                self.template = "console/security_codes.html"  # type: ignore[misc]  # for this one answer
                return self.render({"tab": "security", "codes": codes})
        return self.render({**self.context(), "form": form}, UNPROCESSABLE)


class AddApp(Guarded):
    """Codes of an app: one reads the picture with it and enters the first code."""

    template = "console/security_app.html"
    form = AppForm

    def context(self) -> Mapping[str, Any]:
        """The secret as a picture and in letters; it stays the same until a code was right."""
        adapter, secret = get_adapter(), get_totp_secret()
        picture = adapter.build_totp_svg(adapter.build_totp_url(self.person, secret))
        return {"tab": "security", "secret": secret, "picture": picture[picture.index("<svg") :]}

    def carry_out(self, values: Mapping[str, Any]) -> list[str]:
        """From now on asked for after the password."""
        codes = add_app(actor=self.actor, user=self.person, secret=get_totp_secret(), code=values["code"])
        clear_totp_secret(self.request)
        return codes


class AddPasskey(Guarded):
    """A passkey of this device, or of a key that is plugged in."""

    template = "console/security_passkey.html"
    form = PasskeyForm

    def context(self) -> Mapping[str, Any]:
        """What the browser needs to make it."""
        return {"tab": "security", "options": passkey_offer(self.person)}

    def carry_out(self, values: Mapping[str, Any]) -> list[str]:
        """It signs in from now on."""
        return add_passkey(actor=self.actor, user=self.person, name=values["name"], answer=values["passkey"])


class Codes(Guarded):
    """New recovery codes."""

    template = "console/security_renew.html"
    form = NoForm

    def context(self) -> Mapping[str, Any]:
        """The chosen tab."""
        return {"tab": "security"}

    def carry_out(self, values: Mapping[str, Any]) -> list[str]:  # noqa: ARG002 - the base's signature
        """The former ones count no longer."""
        return renew_codes(actor=self.actor, user=self.person)


class RemoveFactor(Act, Own):
    """It is asked for no longer."""

    personal = True

    def act(self, number: int) -> str:
        """Back to the settings."""
        remove_factor(actor=self.actor, user=self.user(), number=number)
        self.say("It is removed.")
        return HERE


class EndSession(Act, Own):
    """Signs a browser out."""

    personal = True

    def act(self, session_id: UUID) -> str:
        """Back to the settings."""
        found = sessions_of(self.user().id).filter(pk=session_id).first()
        if found is None:
            raise UnknownError("session")
        end_session(actor=self.actor, session=found)
        self.say("That browser is signed out.")
        return HERE


class EndOthers(Act, Own):
    """Signs all other browsers out."""

    personal = True

    def act(self) -> str:
        """Back to the settings."""
        key = self.request.session.session_key or ""
        ended = end_other_sessions(actor=self.actor, user=self.user().id, key=key)
        self.say(f"Signed out elsewhere: {ended}.")
        return HERE
