"""How every way of signing in begins and ends: attempts are counted, refusals recorded, and the session is begun.

Call all of it outside any transaction that may be rolled back.
"""

import time
from collections.abc import Mapping, Sequence
from typing import NoReturn
from uuid import UUID

from django.contrib.auth import login
from django.http import HttpRequest

from foundation.actors import Actor, AuthenticationMethod
from foundation.audit.record import Entry, entry, record
from foundation.errors import InvalidError
from foundation.identity.attempts import TooManyAttemptsError, allow_attempt, is_told, succeed
from foundation.identity.authentication import (
    BOUND_KEY,
    METHOD_KEY,
    ORGANISATION_KEY,
    SINCE_KEY,
    actor_of_user,
    enterable,
)
from foundation.identity.lookups import MembershipRow, memberships_of, seeing_as, user_by_email, user_by_id
from foundation.identity.models import User
from foundation.identity.refusals import refuse_person
from foundation.identity.requests import address_of, request_id_of
from foundation.identity.sessions import remember_session
from foundation.instants import database_now
from foundation.tenancy.context import tenant

BACKEND = "foundation.identity.authentication.EmailBackend"
HELD_KEY = "held"
HELD_FOR = 5 * 60  # seconds between password and second factor


def allow(request: HttpRequest, name: str) -> None:
    """Count an attempt, by the name tried (if any) and the address it comes from. Raises TooManyAttemptsError."""
    try:
        allow_attempt(name, address_of(request))
    except TooManyAttemptsError as error:
        if is_told(error.beyond, 1):
            user = user_by_email(name) if "@" in name else None
            beyond = {"beyond": error.beyond}
            _record_refusal(request, str(error), user, name if "@" in name else "", beyond)
        raise


def refuse(request: HttpRequest, reason: str, user: User | None, email: str) -> NoReturn:
    """Record that somebody was not let in, and say so. Raises InvalidError."""
    _record_refusal(request, reason, user, email)
    raise InvalidError(reason)


def hold(request: HttpRequest, user: User) -> None:
    """The password was right; the second factor is awaited."""
    request.session.cycle_key()
    request.session[HELD_KEY] = {"user": str(user.id), "until": time.time() + HELD_FOR}


def held(request: HttpRequest) -> User | None:
    """Whose second factor is awaited in this browser."""
    kept = request.session.get(HELD_KEY)
    if not isinstance(kept, dict) or kept["until"] < time.time():
        return None
    user = user_by_id(UUID(kept["user"]))
    return user if user is not None and user.is_active else None


def begin_session(
    request: HttpRequest,
    user: User,
    method: AuthenticationMethod,
    *,
    email: str = "",
    second_factor: str = "",
    bound_to: UUID | None = None,
) -> None:
    """Begin a web session, in the first organisation that this way of signing in opens. Raises InvalidError."""
    rows = memberships_of(user.id)
    now = database_now()
    begun = {METHOD_KEY: method.value, SINCE_KEY: now.isoformat(), BOUND_KEY: str(bound_to or "")}
    place = next(iter(enterable(rows, begun)), None)
    if place is None:
        refuse(request, _why_closed(rows), user, email)
    with seeing_as(user.id):
        login(request, user, backend=BACKEND)
        request.session.pop(HELD_KEY, None)
        request.session.update({**begun, ORGANISATION_KEY: str(place.organisation)})
        request.session.save()
        remember_session(request, user.id, method, bound_to)
    actor = actor_of_user(
        user, place, method=method, authenticated_at=now, request=request_id_of(request), address=address_of(request)
    )
    details = {"second_factor": second_factor} if second_factor else {}
    with tenant(place.organisation):
        record(about(actor, "person.sign_in", details))
    succeed(email, address_of(request))


def about(actor: Actor, action: str, details: dict[str, str] | None = None) -> Entry:
    """A line of the record about the actor itself."""
    return entry(
        actor, action, target_kind="person", target_id=actor.user, target_name=actor.name, details=details or {}
    )


def _why_closed(rows: Sequence[MembershipRow]) -> str:
    if any(one.active and one.single_sign_on for one in rows):
        return "Your organisation has its people sign in through its identity provider: choose single sign-on."
    if any(one.active and not one.own_ways for one in rows):
        return (
            "Nothing has shown yet that this address is yours: sign in through your organisation's identity provider, "
            "or have whoever runs this installation give you a one-time link."
        )
    return "Your access is suspended: ask an administrator."


def _record_refusal(
    request: HttpRequest, reason: str, user: User | None, email: str, details: Mapping[str, int] | None = None
) -> None:
    refuse_person(
        "person.sign_in",
        reason,
        user=user,
        memberships=memberships_of(user.id) if user else [],
        request=request_id_of(request),
        address=address_of(request),
        email=email,
        details=details,
    )
