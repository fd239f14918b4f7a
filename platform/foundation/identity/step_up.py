"""Dangerous acts want a recent sign-in: whoever finds a browser open cannot make a key or an administrator."""

from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from foundation.actors import Actor, AuthenticationMethod
from foundation.errors import InvalidError
from foundation.instants import database_now

STEP_UP = "/sign-in/again/"
FRESH = timedelta(minutes=10)
# A key is its own proof, narrowed by its scopes; the shell and our own processes hold no browser.
_WITHOUT_BROWSER = {
    AuthenticationMethod.API_KEY, AuthenticationMethod.RUN_TOKEN, AuthenticationMethod.SHELL,
    AuthenticationMethod.INTERNAL,
}  # fmt: skip


class StaleSignInError(Exception):
    """The sign-in is older than this act allows: the browser is sent to confirm who sits at it (403 over REST)."""

    def __init__(self) -> None:
        super().__init__("This needs a sign-in within the last 10 minutes: confirm that it is you, and do it again.")


class BrowserOnlyError(PermissionDenied):
    """A key comes for what is done in a browser only: 403, naming the page."""

    def __init__(self, what: str, page: str) -> None:
        super().__init__(f"No API key {what}: sign in to the console, and do it under Settings → {page}.")


def require_browser(actor: Actor, what: str, page: str = "Security") -> None:
    """Refuse a key, which may be lost, for what would outlast it. Raises BrowserOnlyError."""
    if actor.method in {AuthenticationMethod.API_KEY, AuthenticationMethod.RUN_TOKEN}:
        raise BrowserOnlyError(what, page)


def require_fresh(actor: Actor) -> None:
    """Refuse a dangerous act of a web session that is older than `FRESH`. Raises StaleSignInError."""
    if actor.method not in _WITHOUT_BROWSER and not is_fresh(actor):
        raise StaleSignInError


def is_fresh(actor: Actor) -> bool:
    """Whether the person has signed in, or confirmed it, within `FRESH`, by the database's clock."""
    return actor.authenticated_at is not None and database_now() - actor.authenticated_at < FRESH


def to_step_up(request: HttpRequest) -> HttpResponse:
    """To the page that asks who sits here, and from there back to the page that was open."""
    back = request.get_full_path() if request.method == "GET" else request.headers.get("Referer", "")
    response = HttpResponseRedirect(f"{STEP_UP}?{urlencode({'next': back})}")
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def refuse_foreign(actor: Actor) -> None:
    """What belongs to a person over all organisations is not changed in a session that one of them has opened."""
    if actor.method is AuthenticationMethod.SINGLE_SIGN_ON:
        raise InvalidError("You came in through your organisation's identity provider: it keeps how you sign in.")
