"""Signing in at the identity provider of one's organisation. These pages are open to nobody in particular."""

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views import View

from foundation.errors import InvalidError
from foundation.federation.sign_in import begin_at_provider, finish_at_provider, providers_for
from foundation.identity.attempts import TooManyAttemptsError
from foundation.web.errors import too_many
from foundation.web.forms import UNPROCESSABLE
from foundation.web.redirects import SeeOther, after_sign_in

NONE_FOUND = "No organisation here has its people sign in with this address elsewhere. Use your password or a link."


class AddressForm(forms.Form):
    """Whose provider is looked for."""

    email = forms.CharField(
        label="E-mail address of your work",
        max_length=254,
        help_text="Its domain says which organisation's identity provider is asked.",
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


class FindProvider(View):
    """By the domain of the e-mail address."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, or with `email` what was found."""
        after = after_sign_in(request)
        if "email" not in request.GET:
            return render(request, "console/sign_in_with.html", {"form": AddressForm(), "next": after})
        form = AddressForm(request.GET)
        rows = providers_for(form.cleaned_data["email"]) if form.is_valid() else []
        if not rows and form.is_valid():
            form.add_error("email", NONE_FOUND)
        context = {"form": form, "providers": rows, "next": after}
        return render(request, "console/sign_in_with.html", context, status=200 if rows else UNPROCESSABLE)


class AtProvider(View):
    """One provider: an address to bookmark."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """One button. It is a link, as a form may not lead to another site."""
        rows = [one for one in providers_for(slug) if one.slug == slug]
        context = {"providers": rows, "next": after_sign_in(request)}
        return render(request, "console/sign_in_with.html", context, status=200 if rows else 404)


class Start(View):
    """Sends the browser to the provider."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """There, or why not."""
        again = request.GET.get("again") == "1"
        try:
            there = begin_at_provider(request, slug, after_sign_in(request), again=again)
        except TooManyAttemptsError as error:
            return too_many(request, error.wait)
        except InvalidError as error:
            return _problem(request, error)
        return HttpResponseRedirect(there)


class Callback(View):
    """Where the provider sends the browser back to."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Signed in, or why not."""
        try:
            after = finish_at_provider(request, slug)
        except TooManyAttemptsError as error:
            return too_many(request, error.wait)
        except InvalidError as error:
            return _problem(request, error)
        return SeeOther(after)


def _problem(request: HttpRequest, error: InvalidError) -> HttpResponse:
    return render(request, "console/sign_in_with.html", {"problem": error.message}, status=UNPROCESSABLE)
