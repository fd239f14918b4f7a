"""No page at an address of the API: what answers outside of an endpoint answers as a problem document, too."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from foundation.api.errors import MEDIA_TYPE, problem

API = "/api/"
_OURS = "This failed on our side. The log holds more under this request_id."


class ProblemMiddleware:
    """Writes an error page anew as a problem document (RFC 9457), with the same status.

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
        said = getattr(response, "said", _OURS if status >= HTTPStatus.INTERNAL_SERVER_ERROR else status.description)
        document = problem(status, detail=said or status.phrase, request_id=str(getattr(request, "id", "")))
        return JsonResponse(document, status=status, content_type=MEDIA_TYPE)
