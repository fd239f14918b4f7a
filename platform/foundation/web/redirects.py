"""Where a page sends its visitor: after a form, to the sign-in page, and only ever to addresses of our own."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

SIGN_IN = "/sign-in/"


class SeeOther(HttpResponseRedirect):
    """After a form was carried out: look there (303), so that a reload repeats nothing."""

    status_code = 303


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page and back to this one; a form that was sent is lost, and its page is shown again.

    What a page's script asks for would be put into that page: there the whole page goes to sign in.
    """
    if request.headers.get("HX-Request"):
        shown = request.headers.get("HX-Current-URL", "")
        after = shown if is_ours(request, shown) else way_back(request)
        return HttpResponse(status=401, headers={"HX-Redirect": f"{SIGN_IN}?{urlencode({'next': after})}"})
    after = request.get_full_path() if request.method == "GET" else way_back(request)
    return SeeOther(f"{SIGN_IN}?{urlencode({'next': after})}")


def is_ours(request: HttpRequest, address: str) -> bool:
    """Whether an address leads to this installation and nowhere else."""
    return url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def way_back(request: HttpRequest) -> str:
    """The page that sent a form, if it is ours; else the first page."""
    back = request.POST.get("next") or request.headers.get("Referer", "")
    return back if back and is_ours(request, back) else "/"


def after_sign_in(request: HttpRequest) -> str:
    """Where to go once signed in: where the visitor came from, if it is ours; else the first page."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    return wanted if is_ours(request, wanted) else "/"
