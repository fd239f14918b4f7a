"""One transaction for each request, in the tenant of whoever acts; refusals are recorded after its roll-back."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from django.core.exceptions import BadRequest, PermissionDenied
from django.core.handlers.exception import response_for_exception
from django.db import DataError, IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse

from foundation.access.guards import RefusedError, UnknownError
from foundation.actors import Actor, AuthenticationMethod
from foundation.audit.record import entry, record_refusal
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.authentication import ORGANISATION_KEY, actor_of_key, actor_of_session
from foundation.identity.lookups import see_as_user
from foundation.identity.refusals import anonymous
from foundation.identity.requests import address_of, bearer_token, request_id_of
from foundation.identity.step_up import StaleSignInError, to_step_up
from foundation.refused_rows import told
from foundation.secrets.redaction import redacted
from foundation.tenancy.context import enter

# The first never ask the database; the pages of sign-in and the doors for signed calls open transactions of their own,
# because what they count and record must outlive a refusal.
WITHOUT_ACTOR = ("/healthz", "/readyz", "/static/", "/.well-known/")
_READING = {"GET", "HEAD", "OPTIONS"}
WITHOUT_TENANT = re.compile(r"/sign-in/.*|/api/v1/[a-z-]+/[^/]+/call|/api/v1/token", re.DOTALL)


class ActorRequest(HttpRequest):
    """A request behind the middleware."""

    actor: Actor
    refusal: str


def note_refusal(request: HttpRequest, error: Exception) -> None:
    """For whoever turns an error into an answer itself: the record will say why it was refused."""
    cast("ActorRequest", request).refusal = str(error)


def note_lack(request: HttpRequest, error: Exception) -> None:
    """For whoever tells on a page what a service has refused: a lack of rights stands in the record, too."""
    if isinstance(error, LackingError):
        note_refusal(request, error)


class ActorMiddleware:
    """Sets `request.actor`, opens its tenant, and rolls back whatever ends in a status of 400 or more.

    `Authorization: Bearer` alone decides where it is present, and needs no CSRF token: no browser adds it by itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as the view does."""
        given = cast("ActorRequest", request)
        given.refusal = ""
        if request.path_info.startswith(WITHOUT_ACTOR):
            given.actor = anonymous(request=request_id_of(request), address=address_of(request))
            return self._get_response(request)
        given.actor = _authenticate(request)
        alone = WITHOUT_TENANT.fullmatch(request.path_info) is not None
        if not alone and _moves(given):
            response = self._refuse_moved(given)
        else:
            response = self._get_response(request) if alone else self._answer(given)
        if response.status_code == HTTPStatus.FORBIDDEN or given.refusal:
            _record_refusal(given, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answers to what guards and services raise, where no view has turned it into one already."""
        match exception:
            case RefusedError() | LackingError():
                note_refusal(request, exception)
                return response_for_exception(request, PermissionDenied(str(exception)))
            case StaleSignInError():
                return self._step_up(request, exception)
            case UnknownError():
                note_refusal(request, exception)
                return response_for_exception(request, Http404(str(exception)))
            case InvalidError() | ConflictError():
                conflicts = isinstance(exception, ConflictError)
                return _page(request, HTTPStatus.CONFLICT if conflicts else HTTPStatus.BAD_REQUEST, str(exception))
            case IntegrityError() | DataError():
                return _refused_rows(request, exception)
        return None

    def _refuse_moved(self, request: ActorRequest) -> HttpResponse:
        error = ConflictError(
            "This browser was signed out of the organisation that the page belonged to, and is in another one now. "
            "Nothing was done: look where you are, and do it there if you want to."
        )
        note_refusal(request, error)
        return _page(request, HTTPStatus.CONFLICT, str(error))

    def _step_up(self, request: HttpRequest, exception: StaleSignInError) -> HttpResponse:
        note_refusal(request, exception)
        # Nothing that the page has done before stands, although the answer is no error.
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)
        return to_step_up(request)

    def _answer(self, request: ActorRequest) -> HttpResponse:
        try:
            return self._answer_whole(request)
        except IntegrityError as error:
            # Of a constraint that is looked at when the transaction ends: somebody was faster.
            return _refused_rows(request, error)

    def _answer_whole(self, request: ActorRequest) -> HttpResponse:
        actor = request.actor
        with transaction.atomic():
            if actor.organisation is not None:
                enter(actor.organisation)
                # What is a person's over all organisations is not open to a session that one of them has let in.
                bound = actor.method is AuthenticationMethod.SINGLE_SIGN_ON
                see_as_user(None if bound else actor.user)
            response = self._get_response(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                transaction.set_rollback(True)
        return response


def _refused_rows(request: HttpRequest, error: IntegrityError | DataError) -> HttpResponse:
    return _page(request, *told(error))


def _page(request: HttpRequest, status: int, said: str) -> HttpResponse:
    response = response_for_exception(request, BadRequest(said))
    response.status_code = status
    # The page's own words, for whoever writes the answer in another form.
    setattr(response, "said", said)  # noqa: B010 - no attribute of the type
    return response


def _authenticate(request: HttpRequest) -> Actor:
    said = {"request": request_id_of(request), "address": address_of(request)}
    token = bearer_token(request.headers.get("Authorization", ""))
    if token is None:
        return actor_of_session(request.session, **said) or anonymous(**said)
    # Django's own mark for a request that carries no ambient authority (as its test client sets it).
    setattr(request, "_dont_enforce_csrf_checks", True)  # noqa: B010 - no attribute of the type
    return actor_of_key(token, **said) or anonymous(**said)


def _moves(request: ActorRequest) -> bool:
    """Whether a change was meant for an organisation that has become closed to this session; it is in another one now.

    What somebody has typed for the one must not land in the other.
    """
    here, chosen = request.actor.organisation, request.session.get(ORGANISATION_KEY)
    if here is None or chosen in {None, "", str(here)} or bearer_token(request.headers.get("Authorization", "")):
        return False
    request.session[ORGANISATION_KEY] = str(here)
    return request.method not in _READING


def _record_refusal(request: ActorRequest, response: HttpResponse) -> None:
    record_refusal(
        entry(
            request.actor,
            "access.refuse",
            target_kind="route",
            target_name=redacted(f"{request.method} {request.path_info}")[:300],
            outcome="denied",
            reason=request.refusal or response.reason_phrase,
        )
    )
