"""No page at an address of the API: what answers outside of an endpoint answers as a problem document, too."""

import json
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from foundation.api.errors import MEDIA_TYPE, OURS, problem

API = "/api/"
_EARLY = "This was refused before it came to an endpoint: look at the host, the address and the headers."


class ProblemMiddleware:
    """Writes an error page anew as a problem document (RFC 9457), with the same status and headers.

    Pages come from what never reaches an endpoint's own handler: a constraint that is looked at when the request's
    transaction ends, a host that is not ours, a fault in a middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers as the view does, unless it is a page that tells of an error."""
        response = self._get_response(request)
        is_page = response.status_code >= HTTPStatus.BAD_REQUEST and response["Content-Type"].startswith("text/html")
        if not is_page or not request.path_info.startswith(API):
            return response
        status = HTTPStatus(response.status_code)
        said = getattr(response, "said", OURS if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _EARLY)
        document = problem(status, detail=said, request_id=str(getattr(request, "id", "")))
        response.content = json.dumps(document).encode()
        response["Content-Type"] = MEDIA_TYPE
        response["Content-Length"] = str(len(response.content))
        return response
