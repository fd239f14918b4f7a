"""The door of SCIM 2.0 (RFC 7644): `/scim/v2/…`, for the API key of a service that holds `person.manage`.

It speaks the errors of SCIM, not those of the REST API, and so it stands beside the guard of that: its own guard is
the first thing that it does, and a matrix of its own asks every route of the protocol as everybody.
"""

import json
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from scim2_models import ForbiddenException, PayloadTooLargeException, SCIMException, UnauthorizedException
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService

from foundation.access.guards import RefusedError, require
from foundation.access.middleware import note_refusal
from foundation.access.roles import Permission
from foundation.actors import ANONYMOUS, Actor, AuthenticationMethod
from foundation.provisioning.schemas import LARGEST, PROVIDER
from foundation.provisioning.storage import Storage

logger = logging.getLogger(__name__)

_NOBODY = "Send `Authorization: Bearer <API key>` with a key that is in force."


# No cookie opens it, so no other site can use a browser's.
@method_decorator(csrf_exempt, name="dispatch")
class ScimDoor(View):
    """Every route of the protocol, below one address."""

    permission: ClassVar[Permission] = Permission.PERSON_MANAGE
    service: ClassVar[ScimService] = ScimService(PROVIDER)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ARG002 - Django's
        """Answer, whatever the method: the protocol knows which there are."""
        try:
            answer = self._answer(request, str(kwargs.get("path") or ""))
        except RefusedError as error:
            answer = self._refused(request, ForbiddenException(detail=str(error)))
        except SCIMException as error:
            answer = self._refused(request, error)
        except Exception as error:
            logger.exception("The SCIM door failed")
            answer = self.service.error_response(error)  # which tells nothing of it
        return _sent(answer)

    def _refused(self, request: HttpRequest, error: SCIMException) -> ScimResponse:
        note_refusal(request, error)
        return self.service.error_response(error)

    def _answer(self, request: HttpRequest, path: str) -> ScimResponse:
        actor = _actor(request)
        require(actor, self.permission)
        if actor.organisation is None:
            raise UnauthorizedException(detail=_NOBODY)
        handler = ScimHandler(self.service, Storage(actor, actor.organisation))
        return handler.handle(_read(request, path, actor))


def _actor(request: HttpRequest) -> Actor:
    actor = getattr(request, "actor", ANONYMOUS)
    if not isinstance(actor, Actor) or actor.method is not AuthenticationMethod.API_KEY:
        raise UnauthorizedException(detail=_NOBODY)
    return actor


def _read(request: HttpRequest, path: str, actor: Actor) -> ScimRequest:
    if len(request.body) > LARGEST:
        raise PayloadTooLargeException(detail=f"A body may hold {LARGEST} bytes: send less.")
    return ScimRequest(
        method=request.method or "GET",
        base_url=request.build_absolute_uri("/scim/v2"),
        path=path.removesuffix(".scim"),
        query={name: str(value) for name, value in request.GET.items()},
        headers=dict(request.headers),
        body=request.body,
        subject=actor,
    )


def _sent(answer: ScimResponse) -> HttpResponse:
    content = b"" if answer.body is None else json.dumps(answer.body).encode()
    sent = HttpResponse(content, status=answer.status.value, headers=answer.headers)
    sent.headers["Cache-Control"] = "no-store"
    if answer.status == HTTPStatus.NO_CONTENT:
        del sent.headers["Content-Type"]
    return sent
