"""Whatever stands at no address of the API: a problem document, not a page."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@extend_schema(exclude=True)
class UnknownEndpoint(APIView):
    """404, whoever asks and however."""

    authentication_classes = []
    permission_classes = []

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Every method, those that the framework knows and others."""
        self.http_method_names = [*self.http_method_names, str(request.method).lower()]
        setattr(self, str(request.method).lower(), self.refuse)
        return super().dispatch(request, *args, **kwargs)

    def refuse(self, request: Request, **_address: Any) -> Response:
        """Say where the addresses are."""
        message = f"There is nothing at {request.path}. The addresses are in /api/schema/, none ends with a slash."
        raise NotFound(message)
