"""Pages of errors: what happened, what still works, what to do; a reference where the log holds more."""

import logging

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from foundation.ids import uuid7

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request cannot be understood; or not done, and then it says why if a service has said so."""
    reason = str(exception) if isinstance(exception, BadRequest) else ""
    return render(request, "foundation/400.html", {"reason": reason}, status=400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: says which role is missing, when the guard has said so."""
    return render(request, "foundation/403.html", {"reason": str(exception or "")}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """403 for a form without its token (`CSRF_FAILURE_VIEW`): the page was open too long, or cookies are off."""
    said = "The form's token was missing or old. Go back, load the page again, and repeat what you did."
    return render(request, "foundation/403.html", {"reason": said}, status=403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """404: also for what a person may not see."""
    return render(request, "foundation/404.html", status=404)


def too_many(request: HttpRequest, wait: int | None = None) -> HttpResponse:
    """429: with the number of seconds after which to try again, when it is known."""
    response = render(request, "foundation/429.html", {"wait": wait}, status=429)
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """500: shows the reference under which the log holds the error."""
    reference = getattr(request, "id", None) or uuid7()
    logger.exception("Unhandled error, reference %s", reference)
    return render(request, "foundation/500.html", {"reference": reference}, status=500)
