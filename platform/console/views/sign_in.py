"""Signing in and out, and choosing where to act. These pages are open to nobody in particular."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from console.forms import SignInForm
from foundation.errors import InvalidError
from foundation.identity.attempts import TooManyAttemptsError
from foundation.identity.sign_in import choose_organisation, sign_in_with_link, sign_in_with_password, sign_out
from foundation.web.errors import too_many
from foundation.web.forms import UNPROCESSABLE
from foundation.web.pages import Act, actor_of
from foundation.web.redirects import SIGN_IN, SeeOther, after_sign_in


class SignIn(View):
    """Address and password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form; whoever is signed in goes on."""
        if actor_of(request).user is not None:
            return SeeOther(after_sign_in(request))
        return _show(request, SignInForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Signs in, or says in one line that address or password is wrong."""
        form = SignInForm(request.POST)
        if form.is_valid():
            try:
                begun = sign_in_with_password(request, form.cleaned_data["email"], form.cleaned_data["password"])
            except TooManyAttemptsError as error:
                return too_many(request, error.wait)
            except InvalidError as error:
                form.add_error(None, error.message)
            else:
                after = after_sign_in(request)
                return SeeOther(after if begun else f"/sign-in/code/?{urlencode({'next': after})}")
        return _show(request, form, UNPROCESSABLE)


class SignInByLink(View):
    """The link of the shell. It is used up by a form, not by opening it, so that no preview in a mailbox uses it."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """One button."""
        return render(request, "console/sign_in_link.html", {"token": token})

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Signs in, or says why the link does not."""
        try:
            sign_in_with_link(request, token)
        except TooManyAttemptsError as error:
            return too_many(request, error.wait)
        except InvalidError as error:
            return render(request, "console/sign_in_link.html", {"problem": error.message}, status=UNPROCESSABLE)
        return SeeOther("/")


class SignOut(Act):
    """Ends the session."""

    personal = True

    def act(self) -> str:
        """Out."""
        sign_out(self.request)
        return SIGN_IN


class ChooseOrganisation(Act):
    """Acts in another of one's organisations."""

    personal = True

    def act(self) -> str:
        """Over there from now on, on its first page: addresses of this one mean nothing there."""
        try:
            chosen = UUID(self.request.POST.get("organisation", ""))
        except ValueError:
            raise InvalidError("Choose one of your organisations.", "organisation") from None
        choose_organisation(self.request, chosen)
        return "/"


def _show(request: HttpRequest, form: SignInForm, status: int = 200) -> HttpResponse:
    return render(request, "console/sign_in.html", {"form": form, "next": after_sign_in(request)}, status=status)
