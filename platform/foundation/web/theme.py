"""Light, dark, or what the system says: kept in a cookie, so that the server's first byte is right."""

from django.http import HttpRequest, HttpResponse

COOKIE = "theme"
THEMES = frozenset({"system", "light", "dark"})
A_YEAR = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """The visitor's theme; anything unknown in the cookie means the system's."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in THEMES else "system"


def remember_theme(response: HttpResponse, theme: str, *, secure: bool) -> None:
    """Keeps the theme for a year; the script needs no access to it."""
    response.set_cookie(COOKIE, theme, max_age=A_YEAR, httponly=True, samesite="Lax", secure=secure)


def theme(request: HttpRequest) -> dict[str, str]:
    """Context processor: `theme` in every template."""
    return {"theme": theme_of(request)}
