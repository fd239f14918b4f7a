"""What anybody may know of this installation: the public keys of its tokens, and where tokens are exchanged."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import View

from foundation.delegation.keys import public_keys

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class PublicKeys(View):
    """The JSON Web Key Set (RFC 7517) with which run tokens are checked."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """To be kept for five minutes; whoever meets a key that it does not know asks again."""
        return _public(public_keys(), "application/jwk-set+json")


class Metadata(View):
    """Authorization server metadata (RFC 8414)."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Addresses, and what is spoken there."""
        base = settings.PUBLIC_URL
        said = {
            "issuer": base,
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "token_endpoint": f"{base}/api/v1/token",
            "introspection_endpoint": f"{base}/api/v1/introspect",
            "grant_types_supported": [EXCHANGE],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
        }
        return _public(said, "application/json")


def _public(said: Any, kind: str) -> HttpResponse:
    return JsonResponse(said, content_type=kind, headers={"Cache-Control": "public, max-age=300"})
