"""A name for every request: in its answer, in its log lines, on the page of an error."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars

from foundation.ids import uuid7

HEADER = "X-Request-Id"


class RequestIdMiddleware:
    """Gives each request an id of ours (never the caller's) and binds it to the log lines written meanwhile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers as the view does, with the id in a header."""
        identifier = str(uuid7())
        setattr(request, "id", identifier)  # noqa: B010 - Django's request has no such attribute to assign
        clear_contextvars()
        bind_contextvars(request=identifier)
        response = self._get_response(request)
        response.headers[HEADER] = identifier
        return response
