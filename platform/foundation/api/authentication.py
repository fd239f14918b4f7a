"""Who calls: the middleware has found out, this hands it to the REST framework."""

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from foundation.actors import ANONYMOUS, Actor, ActorKind, AuthenticationMethod

CHALLENGE = 'Bearer realm="Remit"'
_WITHOUT_COOKIE = frozenset({AuthenticationMethod.API_KEY, AuthenticationMethod.RUN_TOKEN})


class ActorAuthentication(BaseAuthentication):
    """`request.actor` of the middleware. Whoever comes with a browser's cookie needs the CSRF token to write."""

    def authenticate(self, request: Request) -> tuple[Actor, None] | None:
        """The actor, or None for nobody."""
        actor = actor_of(request)
        if actor.kind is ActorKind.ANONYMOUS:
            return None
        if actor.method not in _WITHOUT_COOKIE:
            SessionAuthentication().enforce_csrf(request)
        return actor, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        """How to come back: RFC 6750, section 3."""
        return CHALLENGE


def actor_of(request: Request) -> Actor:
    """Who makes this request; nobody if the middleware did not run."""
    actor = getattr(request, "actor", ANONYMOUS)
    return actor if isinstance(actor, Actor) else ANONYMOUS
