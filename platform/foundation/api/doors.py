"""Public doors: addresses that anybody may call, and that open for a signature (foundation.api.signatures) only.

Their addresses are `/api/v1/<nouns>/<id>/call`; the middleware opens no transaction for them, because what a door
counts and records must outlive its refusal.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.access.guards import RefusedError, UnknownError
from foundation.api.signatures import SignatureError
from foundation.audit.record import entry, record_refusal
from foundation.errors import ConflictError, InvalidError
from foundation.identity.attempts import source_of
from foundation.identity.lookups import count_attempt, return_attempt
from foundation.identity.refusals import anonymous
from foundation.identity.requests import address_of, request_id_of
from foundation.tenancy.context import tenant

LARGEST = 1024 * 1024  # bytes of a body
WINDOW = 15 * 60  # seconds
PER_ADDRESS = 60  # refused calls of all doors in that time
PER_DOOR = 600  # accepted calls of one door in a minute

_MINUTE = 60
_REFUSALS = (SignatureError, UnknownError, RefusedError, InvalidError, ConflictError, RequestDataTooBig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What came in: the bytes as they were signed, and by which request."""

    headers: Mapping[str, str]
    body: bytes
    request: str
    address: str


class Door(APIView):
    """One kind of doors. `kind` is the word for one, such as `trigger`."""

    kind: ClassVar[str]
    # The signature is the proof: neither a cookie nor a key opens it. What it takes stands in docs/schedules.md.
    authentication_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # the framework's is no class variable
    permission_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # the same
    schema = None
    metadata_class = None

    def organisation_of(self, identifier: UUID) -> UUID | None:
        """Whose door it is; None if there is none. Nobody is let in by that."""
        raise NotImplementedError

    def receive(self, identifier: UUID, call: Call) -> Response:
        """Check the signature and answer, inside of the organisation's transaction, which an error rolls back."""
        raise NotImplementedError

    def post(self, request: Request, identifier: UUID) -> Response:
        """Answer a call. What is refused is counted, and recorded with the reason."""
        who = anonymous(request=request_id_of(request), address=address_of(request))
        counted = count_refusal(who.address)
        organisation = self.organisation_of(identifier)
        try:
            call = Call(headers=request.headers, body=_body(request), request=who.request, address=who.address)
            if organisation is None:
                raise UnknownError(self.kind)
            with tenant(organisation):
                answer = self.receive(identifier, call)
        except _REFUSALS as error:
            record_refusal(
                entry(
                    who, f"{self.kind}.call", target_kind=self.kind, target_id=identifier, outcome="denied",
                    reason=str(error), organisation=organisation,
                )
            )  # fmt: skip
            raise
        except Throttled:
            # Rightly signed, and only too early.
            forgive(counted)
            raise
        forgive(counted)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def count_refusal(address: str) -> str:
    """Count a call as a refused one until it is forgiven; gives the name to forgive it by. Raises Throttled."""
    counted = _digest(f"door {source_of(address)}")
    _count(counted, WINDOW, PER_ADDRESS)
    return counted


def forgive(counted: str) -> None:
    """A counted call was not refused."""
    return_attempt(counted)


def allow_calls(identifier: UUID) -> None:
    """Count an accepted call of one door; to be called once the signature is checked. Raises Throttled."""
    _count(_digest(f"calls {identifier}"), _MINUTE, PER_DOOR)


def _count(key: str, seconds: int, most: int) -> None:
    made, remaining = count_attempt(key, seconds)
    if made > most:
        raise Throttled(wait=max(1, remaining))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def _body(request: Request) -> bytes:
    said = f"The body is larger than {LARGEST:,} bytes: send less."
    length = str(request.headers.get("Content-Length") or "0")
    if length.isascii() and length.isdigit() and int(length) > LARGEST:
        raise RequestDataTooBig(said)
    body: bytes = request.body
    if len(body) > LARGEST:
        raise RequestDataTooBig(said)
    return body
