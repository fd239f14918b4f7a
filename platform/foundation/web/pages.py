"""The base of every page: a page names its permission and its template; the checks stand here."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views import View

from foundation.access.guards import RefusedError, find, holds_somewhere, require
from foundation.access.middleware import note_lack
from foundation.access.models import PermittedQuerySet, permissions_on
from foundation.access.roles import Permission
from foundation.actors import ANONYMOUS, Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from foundation.organisations.models import Organisation
from foundation.web.redirects import SeeOther, to_sign_in, way_back

M = TypeVar("M", bound=Model)

UNNAMED = "(none named: this page is closed)"


class Page(View):
    """`permission` is what looking needs, `writing` what any other method needs (by default the same).

    `place` names the entry of the navigation, `template` the page, `part` the fragment that htmx asks for.
    A page that names no permission is closed, unless it says that it is `personal`: for whoever is signed in.
    """

    permission: ClassVar[Permission | None] = None
    writing: ClassVar[Permission | None] = None
    personal: ClassVar[bool] = False
    place: ClassVar[str] = ""
    template: ClassVar[str] = ""
    part: ClassVar[str] = ""

    @property
    def actor(self) -> Actor:
        """Who looks."""
        return actor_of(self.request)

    @property
    def tenant(self) -> UUID:
        """The id of the organisation that the actor acts in. Raises RefusedError for whoever acts nowhere."""
        if self.actor.organisation is None:
            raise RefusedError(UNNAMED)
        return self.actor.organisation

    @property
    def organisation(self) -> Organisation:
        """The organisation that the actor acts in."""
        return Organisation.objects.get(pk=self.tenant)

    @property
    def named(self) -> Permission:
        """What this request needs. Raises RefusedError where nothing is named."""
        reads = self.request.method in {"GET", "HEAD", "OPTIONS"}
        named = self.permission if reads else self.writing or self.permission
        if named is None:
            raise RefusedError(UNNAMED)
        return named

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Sends nobody to the sign-in page, and refuses whoever holds the named permission nowhere."""
        if self.actor.kind is ActorKind.ANONYMOUS:
            return to_sign_in(request)
        if not self.personal and not holds_somewhere(self.actor, self.named):
            raise RefusedError(self.named)
        if any("\x00" in "".join((name, *values)) for name, values in request.GET.lists()):
            raise InvalidError("The address holds a NUL (%00), which is in no text: leave it out.")
        response = super().dispatch(request, *args, **kwargs)
        # A page of one person must not be shown to the next one, nor a fragment in place of its page.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Cookie", "HX-Request-Type"))
        return response

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for the fragment only."""
        return bool(self.part) and self.request.headers.get("HX-Request-Type") == "partial"

    def render(self, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The page, or its fragment."""
        template = self.part if self.is_partial else self.template
        return render(self.request, template, {"current": self.place, **context}, status=status)

    def permitted(self, rows: PermittedQuerySet[M]) -> PermittedQuerySet[M]:
        """The rows on which the actor holds what this request needs."""
        return rows.all().permitted(self.actor, self.named)

    def found(self, rows: PermittedQuerySet[M], permission: Permission | None = None, **lookup: Any) -> M:
        """The one row that `lookup` names. Raises UnknownError, or RefusedError for what may only be viewed."""
        return find(rows.all(), self.actor, permission or self.named, **lookup)

    def require(self, target: UUID | None = None) -> None:
        """Refuse unless what this request needs is held on a target (by default the organisation)."""
        require(self.actor, self.named, target)

    def why_not(self, permission: Permission, target: UUID | None = None) -> str:
        """Why a button is not for this actor; empty if it is."""
        node = target or self.actor.organisation
        if node is not None and permission in permissions_on(self.actor, node):
            return ""
        return str(RefusedError(permission))

    def say(self, text: str) -> None:
        """A toast on the next page."""
        messages.success(self.request, text)


class Act(Page):
    """A button's form: carries out `act` and goes where it says. What cannot be done is told on the page before."""

    http_method_names = ["post"]

    # Takes what the address names, does it, and says where to go.
    act: Callable[..., str]

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """Carries it out."""
        try:
            return SeeOther(self.act(**address))
        except (InvalidError, ConflictError) as error:
            note_lack(request, error)
            messages.warning(request, error.message)
            return SeeOther(way_back(request))


def actor_of(request: HttpRequest) -> Actor:
    """Who makes this request; nobody if the middleware did not run."""
    actor = getattr(request, "actor", ANONYMOUS)
    return actor if isinstance(actor, Actor) else ANONYMOUS
