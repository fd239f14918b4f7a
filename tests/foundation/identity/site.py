"""The least pages around the verbs of sign-in."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from foundation.access.guards import require
from foundation.access.models import Grant
from foundation.errors import InvalidError
from foundation.identity import sign_in
from foundation.identity.attempts import TooManyAttemptsError
from foundation.identity.models import Principal
from foundation.ids import uuid7
from foundation.organisations.models import Organisation, Team


def who(request: HttpRequest) -> JsonResponse:
    """Who acts, and which organisations it sees."""
    actor = request.actor
    seen = [organisation.slug for organisation in Organisation.objects.all()]
    said = {"kind": actor.kind, "name": actor.name, "method": actor.method, "address": actor.address}
    return JsonResponse(
        said | {"organisation": str(actor.organisation), "sees": seen, "scopes": sorted(actor.scopes or ())}
    )


def with_password(request: HttpRequest) -> HttpResponse:
    """Sign in."""
    try:
        sign_in.sign_in_with_password(request, request.POST["email"], request.POST["password"])
    except TooManyAttemptsError as error:
        return HttpResponse(str(error), status=429, headers={"Retry-After": error.wait})
    except InvalidError as error:
        return HttpResponse(str(error), status=400)
    return HttpResponse("welcome")


def with_link(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in."""
    try:
        sign_in.sign_in_with_link(request, token)
    except InvalidError as error:
        return HttpResponse(str(error), status=400)
    return HttpResponse("welcome")


def out(request: HttpRequest) -> HttpResponse:
    """Sign out."""
    sign_in.sign_out(request)
    return HttpResponse("bye")


def choose(request: HttpRequest, organisation: UUID) -> HttpResponse:
    """Choose an organisation."""
    sign_in.choose_organisation(request, organisation)
    return HttpResponse("chosen")


def rename(request: HttpRequest, status: int) -> HttpResponse:
    """Change something, then answer with this status."""
    Team.objects.update(name=f"renamed with {status}")
    return HttpResponse(status=status)


def guarded(request: HttpRequest) -> HttpResponse:
    """Change something, then find out that one may not."""
    Team.objects.update(name="renamed without right")
    require(request.actor, "organisation.manage")
    return HttpResponse("done")


def broken(request: HttpRequest) -> HttpResponse:
    """Change something, then fail."""
    Team.objects.update(name="renamed by a fault")
    raise ZeroDivisionError


def invalid(request: HttpRequest) -> HttpResponse:
    """What a service says of bad input."""
    raise InvalidError("This is not possible: choose another.")


def protected(request: HttpRequest) -> HttpResponse:
    """Change something, then delete what something else rests on."""
    Team.objects.update(name="renamed beside a deletion")
    Principal.objects.get(pk=request.actor.principal).delete()
    return HttpResponse("done")


def dangling(request: HttpRequest) -> HttpResponse:
    """Point at a role that is not there: the database looks when the transaction ends."""
    Team.objects.update(name="renamed beside a loose end")
    mine = Grant.objects.filter(principal_id=request.actor.principal)
    mine.update(custom_role=uuid7())
    return HttpResponse("done")


urlpatterns = [
    path("protected", protected),
    path("dangling", dangling),
    path("api/v1/dangling", dangling),
    path("api/v1/broken", broken),
    path("api/v1/invalid", invalid),
    path("who", who),
    path("sign-in/", with_password),
    path("sign-in/link/<str:token>/", with_link),
    path("sign-out/", out),
    path("choose/<uuid:organisation>", choose),
    path("rename/<int:status>", rename),
    path("guarded", guarded),
    path("broken", broken),
    path("invalid", invalid),
]
handler400 = "django.views.defaults.bad_request"
