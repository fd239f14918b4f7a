"""Settings: API keys, one's own and those of services."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from console.api.keys import KeyQuerySet, refuse_stronger_service
from console.forms import KeyForm
from foundation.access.middleware import note_lack
from foundation.access.roles import Permission
from foundation.errors import ConflictError, InvalidError
from foundation.identity.keys import rotate_api_key
from foundation.identity.models import ApiKey, Principal, PrincipalKind, PrincipalState
from foundation.identity.services import create_api_key, revoke_api_key
from foundation.instants import database_now
from foundation.web.forms import UNPROCESSABLE, FormPage, tell
from foundation.web.pages import Act, Page
from foundation.web.redirects import SeeOther


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
        rows = KeyQuerySet(ApiKey).permitted(self.actor, Permission.KEY_MANAGE).select_related("principal", "made_by")
        return {"keys": rows.order_by("-id")[:200], "now": database_now(), "tab": "keys"}

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
            except (InvalidError, ConflictError) as error:
                tell(request, form, error)
            else:
                return self.render({**self.context(), "form": self.make(), "secret": secret})
        return self.render({**self.context(), "form": form}, UNPROCESSABLE)

    def _created(self, values: Mapping[str, Any]) -> str:
        principal = self._principals[values["principal"]]
        refuse_stronger_service(self.actor, principal)
        _, secret = create_api_key(
            actor=self.actor,
            principal=principal,
            name=values["name"],
            scopes=tuple(values["scopes"]),
            expires_at=values["expires_at"],
        )
        return secret


class Rotate(Keys):
    """The next key, shown once on the page that answers; the former one opens for a while more."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """The page of keys, with the successor on it."""
        self.load()
        former = _key(self, address["key_id"])
        refuse_stronger_service(self.actor, former.principal)
        try:
            _, secret = rotate_api_key(actor=self.actor, api_key=former, overlap=_overlap(request))
        except (InvalidError, ConflictError) as error:
            note_lack(request, error)
            messages.warning(request, error.message)
            return SeeOther("/settings/tokens/")
        shown = {"secret": secret, "rotated": ApiKey.objects.get(pk=former.pk)}
        return self.render({**self.context(), "form": self.make(), **shown})


class Revoke(Act):
    """The key opens nothing from now on."""

    permission = Permission.KEY_MANAGE

    def act(self, key_id: UUID) -> str:
        """Back to the keys."""
        key = _key(self, key_id)
        revoke_api_key(actor=self.actor, api_key=key)
        self.say(f"The key {key.name} is revoked.")
        return "/settings/tokens/"


def _key(page: Page, identifier: UUID) -> ApiKey:
    return page.found(KeyQuerySet(ApiKey).select_related("principal"), pk=identifier)


def _overlap(request: HttpRequest) -> int:
    given = request.POST.get("overlap", "")
    if not (given.isascii() and given.isdigit() and len(given) < 9):  # noqa: PLR2004 - digits
        raise InvalidError("Say for how long both keys open: 0, an hour, a day, a week.", "overlap")
    return int(given)
