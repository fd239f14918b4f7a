"""The few answers that belong to no page: reports of the policy, and the theme."""

import json
import logging

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from foundation.web.errors import bad_request
from foundation.web.redirects import way_back
from foundation.web.theme import THEMES, remember_theme

logger = logging.getLogger(__name__)

LONGEST_REPORT = 8_192
REPORTED = ("document-uri", "violated-directive", "blocked-uri", "source-file", "line-number")


@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """Logs what a browser blocked. Answers 204 to anything: a report asks for nothing."""
    body = request.read(LONGEST_REPORT)
    try:
        report = json.loads(body).get("csp-report", {})
        said = {key: str(report[key])[:200] for key in REPORTED if key in report}
    except (ValueError, AttributeError, TypeError):
        said = {"unreadable": f"{len(body)} bytes"}
    logger.warning("Content security policy: the browser blocked %s", json.dumps(said))
    return HttpResponse(status=204)


@require_POST
def switch_theme(request: HttpRequest) -> HttpResponse:
    """Keeps the chosen theme (`theme` = system, light or dark) and goes back to the page."""
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        return bad_request(request)
    wants_page = "text/html" in request.headers.get("Accept", "")
    response = HttpResponseRedirect(way_back(request)) if wants_page else HttpResponse(status=204)
    remember_theme(response, theme, secure=request.is_secure())
    return response
