"""Signing in and out of the console. The pages are the console's; these are the verbs behind them.

Call the two ways in outside any transaction (the middleware opens none for their pages): an attempt counts, and its
refusal is recorded, however the request ends.
"""

from datetime import UTC, datetime
from typing import NoReturn
from uuid import UUID

from django.contrib.auth import authenticate, login, update_session_auth_hash
from django.http import HttpRequest

from foundation.actors import ANONYMOUS, Actor, AuthenticationMethod
from foundation.audit.record import Entry, entry, record
from foundation.errors import InvalidError
from foundation.identity.attempts import TooManyAttemptsError, allow_attempt, succeed
from foundation.identity.authentication import METHOD_KEY, ORGANISATION_KEY, SINCE_KEY, actor_of_user
from foundation.identity.lookups import memberships_of, use_sign_in_link, user_by_email, user_by_id
from foundation.identity.models import User
from foundation.identity.refusals import refuse_person
from foundation.identity.requests import address_of, request_id_of
from foundation.identity.tokens import digest
from foundation.tenancy.context import tenant

_BACKEND = "foundation.identity.authentication.EmailBackend"


def sign_in_with_password(request: HttpRequest, email: str, password: str) -> User:
    """Begin a web session. Raises InvalidError with one line that does not tell whether the address is known."""
    email = email.strip().lower()
    _allow(request, email)
    user = authenticate(request, email=email, password=password)
    if not isinstance(user, User):
        _refuse(request, "The address or the password is wrong.", user_by_email(email), email)
    _begin(request, user, AuthenticationMethod.PASSWORD, email)
    return user


def sign_in_with_link(request: HttpRequest, token: str) -> User:
    """Begin a web session with a link, which is used up by it. Raises InvalidError."""
    _allow(request, "")
    identifier = use_sign_in_link(digest(token))
    user = user_by_id(identifier) if identifier else None
    if user is None or not user.is_active:
        _refuse(request, "This link was used already or is too old: ask for a new one.", user, "")
    _begin(request, user, AuthenticationMethod.SIGN_IN_LINK, "")
    return user


def sign_out(request: HttpRequest) -> None:
    """End the web session."""
    actor = _actor(request)
    if actor.organisation is not None:
        with tenant(actor.organisation):
            record(_entry_about(actor, "person.sign_out"))
    request.session.flush()


def choose_organisation(request: HttpRequest, organisation_id: UUID) -> None:
    """Act in another of one's organisations from the next request on. Raises InvalidError."""
    actor = _actor(request)
    user = user_by_id(actor.user) if actor and actor.user else None
    rows = memberships_of(user.id) if user else []
    chosen = next((one for one in rows if one.organisation == organisation_id and one.active), None)
    if user is None or chosen is None:
        raise InvalidError("You do not belong to this organisation, or are suspended there.", "organisation")
    request.session[ORGANISATION_KEY] = str(chosen.organisation)
    there = actor_of_user(
        user,
        chosen,
        method=actor.method,
        authenticated_at=actor.authenticated_at,
        request=actor.request,
        address=actor.address,
    )
    with tenant(chosen.organisation):
        record(_entry_about(there, "person.choose_organisation"))


def keep_signed_in(request: HttpRequest, user: User) -> None:
    """After a change of the own password: this session goes on, all others end."""
    update_session_auth_hash(request, user)


def _allow(request: HttpRequest, email: str) -> None:
    try:
        allow_attempt(email, address_of(request))
    except TooManyAttemptsError as error:
        user = user_by_email(email) if email else None
        _record_refusal(request, str(error), user, email)
        raise


def _begin(request: HttpRequest, user: User, method: AuthenticationMethod, email: str) -> None:
    active = next((one for one in memberships_of(user.id) if one.active), None)
    if active is None:
        _refuse(request, "Your access is suspended: ask an administrator.", user, email)
    login(request, user, backend=_BACKEND)
    now = datetime.now(UTC)
    request.session[METHOD_KEY] = method.value
    request.session[SINCE_KEY] = now.isoformat()
    request.session[ORGANISATION_KEY] = str(active.organisation)
    actor = actor_of_user(
        user,
        active,
        method=method,
        authenticated_at=now,
        request=request_id_of(request),
        address=address_of(request),
    )
    with tenant(active.organisation):
        record(_entry_about(actor, "person.sign_in"))
    succeed(email, address_of(request))


def _refuse(request: HttpRequest, reason: str, user: User | None, email: str) -> NoReturn:
    _record_refusal(request, reason, user, email)
    raise InvalidError(reason)


def _record_refusal(request: HttpRequest, reason: str, user: User | None, email: str) -> None:
    refuse_person(
        "person.sign_in",
        reason,
        user=user,
        memberships=memberships_of(user.id) if user else [],
        request=request_id_of(request),
        address=address_of(request),
        email=email,
    )


def _actor(request: HttpRequest) -> Actor:
    # The middleware of the layer above has set it.
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    return actor


def _entry_about(actor: Actor, action: str) -> Entry:
    return entry(actor, action, target_kind="person", target_id=actor.user, target_name=actor.name)
