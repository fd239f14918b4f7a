"""Pages with a form: what services refuse is told at the field that is wrong, and nothing typed is lost."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse

from foundation.access.middleware import note_lack
from foundation.errors import ConflictError, InvalidError
from foundation.web.pages import Page
from foundation.web.redirects import SeeOther

UNPROCESSABLE = 422


class FormPage(Page):
    """`form` is the form's class; `done` carries it out and says where to go; `context` is what else the page shows."""

    form: ClassVar[type[forms.Form]]

    def context(self) -> Mapping[str, Any]:
        """What the page shows beside the form. It is called once for each request, after `load`."""
        return {}

    def load(self, **address: Any) -> None:
        """Finds what the address names, before the form is shown or carried out."""

    def initial(self) -> dict[str, Any]:
        """The values that the empty form begins with."""
        return {}

    def make(self, data: Any = None) -> forms.Form:
        """The form, empty or with what was sent."""
        return self.form(data, initial=self.initial())

    def done(self, values: Mapping[str, Any]) -> str:
        """Carry it out; the address to go to."""
        raise NotImplementedError

    def get(self, request: HttpRequest, **address: Any) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The empty form."""
        self.load(**address)
        return self.render({**self.context(), "form": self.make()})

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """Carries it out, or shows the form again with what is to be fixed."""
        self.load(**address)
        form = self.make(request.POST)
        if form.is_valid():
            try:
                return SeeOther(self.done(form.cleaned_data))
            except (InvalidError, ConflictError) as error:
                tell(request, form, error)
        return self.render({**self.context(), "form": form}, status=UNPROCESSABLE)


def tell(request: HttpRequest, form: forms.Form, error: InvalidError | ConflictError) -> None:
    """What a service has refused, at the field that is wrong; a lack of rights goes into the record besides."""
    note_lack(request, error)
    field = error.field if isinstance(error, InvalidError) and error.field in form.fields else None
    form.add_error(field, error.message)
