"""Settings: API keys, one's own and those of services."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse

from console.api.keys import KeyQuerySet, refuse_stronger
from console.forms import KeyForm
from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import ApiKey, Principal, PrincipalKind, PrincipalState
from foundation.identity.services import create_api_key, revoke_api_key
from foundation.web.forms import UNPROCESSABLE, FormPage
from foundation.web.pages import Act


class Keys(FormPage):
    """The key itself is shown once, on the page that answers the form: it is stored nowhere."""

    permission = Permission.KEY_MANAGE
    place = "settings"
    template = "console/keys.html"
    form = KeyForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Oneself, and the services for whoever manages the organisation's keys."""
        wide = not self.why_not(Permission.KEY_MANAGE)
        people = Principal.objects.filter(id__in=[self.actor.principal])
        if wide:
            people |= Principal.objects.filter(kind=PrincipalKind.SERVICE, state=PrincipalState.ACTIVE)
        self._principals = {str(one.id): one for one in people.order_by("kind", "name")}

    def context(self) -> Mapping[str, Any]:
        """The keys that may be seen."""
        rows = KeyQuerySet(ApiKey).permitted(self.actor, Permission.KEY_MANAGE).select_related("principal")
        return {"keys": rows.order_by("-id")[:200], "tab": "keys"}

    def initial(self) -> dict[str, Any]:
        """Oneself."""
        return {"principal": str(self.actor.principal)}

    def make(self, data: Any = None) -> forms.Form:
        """With the principals."""
        form = super().make(data)
        choices = [(key, one.name) for key, one in self._principals.items()]
        form.fields["principal"] = forms.ChoiceField(label="For", choices=choices)
        return form

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """The page again, with the new key on it."""
        self.load(**address)
        form = self.make(request.POST)
        if form.is_valid():
            try:
                secret = self._created(form.cleaned_data)
            except InvalidError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
            except ConflictError as error:
                form.add_error(None, error.message)
            else:
                return self.render({**self.context(), "form": self.make(), "secret": secret})
        return self.render({**self.context(), "form": form}, UNPROCESSABLE)

    def _created(self, values: Mapping[str, Any]) -> str:
        principal = self._principals[values["principal"]]
        if principal.kind == PrincipalKind.SERVICE:
            refuse_stronger(self.actor, principal)
        _, secret = create_api_key(
            actor=self.actor, principal=principal, name=values["name"], expires_at=values["expires_at"]
        )
        return secret


class Revoke(Act):
    """The key opens nothing from now on."""

    permission = Permission.KEY_MANAGE

    def act(self, key_id: UUID) -> str:
        """Back to the keys."""
        key = KeyQuerySet(ApiKey).permitted(self.actor, self.named).filter(pk=key_id).first()
        if key is None:
            raise UnknownError("API key")
        revoke_api_key(actor=self.actor, api_key=key)
        self.say(f"The key {key.name} is revoked.")
        return "/settings/tokens/"
