"""What follows a password, or comes instead of one: codes, passkeys, and the question who sits here now."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from foundation.actors import AuthenticationMethod
from foundation.errors import InvalidError
from foundation.federation.sign_in import providers_of
from foundation.identity.attempts import TooManyAttemptsError
from foundation.identity.beginning import held
from foundation.identity.lookups import user_by_id
from foundation.identity.models import User
from foundation.identity.second_factor import has_second_factor, passkey_request
from foundation.identity.sign_in import confirm, sign_in_with_passkey, sign_in_with_second_factor
from foundation.web.errors import too_many
from foundation.web.forms import UNPROCESSABLE
from foundation.web.pages import actor_of
from foundation.web.redirects import SIGN_IN, SeeOther, after_sign_in


class CodeForm(forms.Form):
    """A code of an app, or a recovery code; or what a passkey has signed, which a script fills in."""

    code = forms.CharField(
        max_length=40,
        required=False,
        help_text="Six digits from your app, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )
    passkey = forms.CharField(required=False, max_length=16_384, widget=forms.HiddenInput())

    def answer(self) -> str:
        """Whichever was given."""
        return str(self.cleaned_data["passkey"] or self.cleaned_data["code"])


class ConfirmForm(CodeForm):
    """Who is signed in says so once more, by password or by a second factor."""

    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class Code(View):
    """The second factor, after a right password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form; without a password entered, back to that."""
        user = held(request)
        return self._show(request, user, CodeForm()) if user else SeeOther(SIGN_IN)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Signs in, or says that the code is wrong."""
        user, form = held(request), CodeForm(request.POST)
        if user is None:
            return SeeOther(SIGN_IN)
        if form.is_valid():
            try:
                sign_in_with_second_factor(request, form.answer())
            except TooManyAttemptsError as error:
                return too_many(request, error.wait)
            except InvalidError as error:
                form.add_error(None, error.message)
            else:
                return SeeOther(after_sign_in(request))
        return self._show(request, user, form, UNPROCESSABLE)

    def _show(self, request: HttpRequest, user: User, form: CodeForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "next": after_sign_in(request), "options": passkey_request(user)}
        return render(request, "console/sign_in_code.html", context, status=status)


class Passkey(View):
    """A passkey alone: the device has checked who holds it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """One button."""
        return self._show(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Signs in, or says why not."""
        try:
            sign_in_with_passkey(request, request.POST.get("passkey", ""))
        except TooManyAttemptsError as error:
            return too_many(request, error.wait)
        except InvalidError as error:
            return self._show(request, error.message, UNPROCESSABLE)
        return SeeOther(after_sign_in(request))

    def _show(self, request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
        context = {"problem": problem, "next": after_sign_in(request), "options": passkey_request()}
        return render(request, "console/sign_in_passkey.html", context, status=status)


class Again(View):
    """Before a dangerous act: who sits here now?"""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form; nobody in particular signs in first."""
        user = self._user(request)
        return self._show(request, user, ConfirmForm()) if user else SeeOther(SIGN_IN)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Goes on, or says what is wrong."""
        user, form = self._user(request), ConfirmForm(request.POST)
        if user is None:
            return SeeOther(SIGN_IN)
        if form.is_valid():
            try:
                confirm(request, user, password=form.cleaned_data["password"], answer=form.answer())
            except TooManyAttemptsError as error:
                return too_many(request, error.wait)
            except InvalidError as error:
                form.add_error(None, error.message)
            else:
                return SeeOther(after_sign_in(request))
        return self._show(request, user, form, UNPROCESSABLE)

    def _user(self, request: HttpRequest) -> User | None:
        actor = actor_of(request)
        return user_by_id(actor.user) if actor.user and actor.organisation else None

    def _show(self, request: HttpRequest, user: User, form: ConfirmForm, status: int = 200) -> HttpResponse:
        actor = actor_of(request)
        context: dict[str, Any] = {"form": form, "next": after_sign_in(request), "person": user.name}
        if actor.method is AuthenticationMethod.SINGLE_SIGN_ON and actor.organisation:
            context["providers"] = providers_of(actor.organisation)
        elif has_second_factor(user.id):
            context["options"] = passkey_request(user)
        else:
            context["password"] = user.has_usable_password()
        return render(request, "console/sign_in_again.html", context, status=status)
