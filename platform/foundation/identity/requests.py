"""What a request says of itself: its name, where it comes from, the key that it presents."""

from django.conf import settings
from django.http import HttpRequest

_LONGEST_TOKEN = 200


def request_id_of(request: HttpRequest) -> str:
    """The id that the first middleware gave it."""
    return str(getattr(request, "id", ""))


def address_of(request: HttpRequest) -> str:
    """The address of the caller: behind our own proxy, what that one has added last to X-Forwarded-For."""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if forwarded:
            return forwarded[:64]
    return str(request.META.get("REMOTE_ADDR") or "")


def bearer_token(header: str) -> str | None:
    """The token of `Authorization: Bearer …`; None if the header presents none."""
    scheme, _, token = header.partition(" ")
    return token.strip()[:_LONGEST_TOKEN] if scheme.lower() == "bearer" else None
