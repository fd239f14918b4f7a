"""Every error of the REST API is a problem document (RFC 9457): what happened, and what to do."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from foundation.access.guards import RefusedError, UnknownError
from foundation.access.middleware import note_refusal
from foundation.api.signatures import SIGNATURE, SignatureError
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.step_up import StaleSignInError
from foundation.refused_rows import told

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
NAMES = {
    400: "invalid", 401: "unauthenticated", 403: "refused", 404: "unknown", 405: "method", 406: "not-acceptable",
    409: "conflict", 413: "too-large", 415: "media-type", 429: "busy", 500: "failed", 503: "unavailable",
}  # fmt: skip

OURS = "This failed on our side. The log holds more under this request_id."

Values = dict[str, Any]
Described = tuple[int, Values, dict[str, str]]
Describe = Callable[[Any], Described]
Kinds = type[Exception] | tuple[type[Exception], ...]


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer to whatever an endpoint raised. An error of ours is logged with its trace, and told without it."""
    request = context.get("request")
    status, values, headers = _describe(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("An endpoint failed", exc_info=error)
    if request is not None and (status == HTTPStatus.FORBIDDEN or isinstance(error, UnknownError)):
        note_refusal(getattr(request, "_request", request), error)
    identifier = str(getattr(request, "id", ""))
    return Response(problem(status, request_id=identifier, **values), status, headers=headers, content_type=MEDIA_TYPE)


def problem(status: int, *, detail: str, request_id: str = "", **more: Any) -> Values:
    """The document: type, title, status, detail, request_id; and for some kinds permission(s) or errors by field."""
    return {
        "type": f"urn:remit:problem:{NAMES.get(status, 'failed')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **more,
    }


def _describe(error: Exception) -> Described:
    for kinds, describe in _KNOWN:
        if isinstance(error, kinds):
            return describe(error)
    return 500, {"detail": OURS}, {}


def _refused(error: Any) -> Described:
    return 403, {"detail": str(error), "permission": str(error.permission)}, {}


def _lacking(error: Any) -> Described:
    _, values, headers = _invalid(error)
    missing = {"permission": error.missing[0], "permissions": [*error.missing]} if error.missing else {}
    return 403, {**values, **missing}, headers


def _invalid(error: Any) -> Described:
    errors = {"errors": {error.field: [error.message]}} if error.field else {}
    return 400, {"detail": error.message, **errors}, {}


def _unsigned(error: Any) -> Described:
    return 401, {"detail": str(error)}, {"WWW-Authenticate": SIGNATURE}


def _malformed(error: Any) -> Described:
    errors = flatten(error.detail)
    first = next(iter(errors.items()), ("", ["The request is not valid."]))
    said = first[1][0]
    return 400, {"detail": f"{first[0]}: {said}" if first[0] else said, "errors": errors}, {}


def _framework(error: Any) -> Described:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return error.status_code, {"detail": _DETAILS.get(error.status_code) or str(error.detail)}, headers


def _rows(error: Any) -> Described:
    status, said = told(error)
    return status, {"detail": said}, {}


def _too_deep(_error: Any) -> Described:
    return 400, {"detail": "The body is nested too deeply: make it flatter."}, {}


def _plain(status: int) -> Describe:
    return lambda error: (status, {"detail": str(error) or HTTPStatus(status).phrase}, {})


_DETAILS = {
    401: "Nobody is signed in. Send `Authorization: Bearer <API key>` with a key that is in force.",
    406: "Answers are JSON: ask for them with `Accept: application/json`, or without the header.",
    415: "Send the body as JSON, with the header `Content-Type: application/json`.",
}
_KNOWN: Sequence[tuple[Kinds, Describe]] = (
    (RefusedError, _refused),
    ((UnknownError, Http404), _plain(404)),
    (LackingError, _lacking),
    (InvalidError, _invalid),
    (SignatureError, _unsigned),
    (ConflictError, _plain(409)),
    (exceptions.ValidationError, _malformed),
    (exceptions.APIException, _framework),
    ((PermissionDenied, StaleSignInError), _plain(403)),
    (RequestDataTooBig, _plain(413)),
    (SuspiciousOperation, _plain(400)),
    ((IntegrityError, DataError), _rows),
    (RecursionError, _too_deep),
)


def flatten(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Errors by field, nested fields written with dots: `{"limits.steps": ["…"]}`."""
    if isinstance(detail, Mapping):
        found: dict[str, list[str]] = {}
        for name, inner in detail.items():
            here = path if name in {"non_field_errors", ""} else ".".join(part for part in (path, str(name)) if part)
            for key, messages in flatten(inner, here).items():
                found.setdefault(key, []).extend(messages)
        return found
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        if any(isinstance(item, (Mapping, list)) for item in detail):
            return flatten({str(index): item for index, item in enumerate(detail) if item}, path)
        return {path: [str(item) for item in detail]}
    return {path: [str(detail)]}
