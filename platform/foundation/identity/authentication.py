"""From what a request presents (a password, a web session, an API key) to the Actor that it acts as.

All of it is called outside any transaction: refusals are recorded at once, in transactions of their own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from foundation.actors import Actor, ActorKind, AuthenticationMethod
from foundation.identity.key_use import note_session, note_use
from foundation.identity.lookups import (
    KeyRow,
    MembershipRow,
    key_by_prefix,
    memberships_of,
    see_as_user,
    user_by_email,
    user_by_id,
)
from foundation.identity.models import PrincipalState, User
from foundation.identity.refusals import refuse_key, refuse_person
from foundation.identity.tokens import matches, prefix_of

# What a web session holds besides Django's own: the chosen organisation, how and when the person signed in.
ORGANISATION_KEY = "organisation"
METHOD_KEY = "method"
SINCE_KEY = "authenticated_at"
BOUND_KEY = "bound_to"  # the organisation whose identity provider let the person in: the session counts there alone


class EmailBackend:
    """Sign-in with e-mail address and password."""

    def authenticate(self, _request: HttpRequest | None, email: str = "", password: str = "") -> User | None:
        """The active user whose password this is; an unknown address takes as long as a wrong password."""
        user = user_by_email(email) if email else None
        if user is None:
            make_password(password)
            return None
        right = check_password(password, user.password, lambda raw: _renew_hash(user, raw))
        return user if right and user.is_active else None

    def get_user(self, user_id: Any) -> User | None:
        """The active user of a session."""
        user = user_by_id(user_id)
        return user if user is not None and user.is_active else None


def actor_of_user(
    user: User,
    membership: MembershipRow,
    *,
    method: AuthenticationMethod,
    authenticated_at: datetime | None = None,
    request: str = "",
    address: str = "",
) -> Actor:
    """A person in one of its organisations."""
    return Actor(
        kind=ActorKind.PERSON,
        name=membership.principal_name,
        principal=membership.principal,
        organisation=membership.organisation,
        user=user.id,
        method=method,
        authenticated_at=authenticated_at,
        request=request,
        address=address,
    )


def actor_of_session(session: SessionBase | str, *, request: str = "", address: str = "") -> Actor | None:
    """The person of a web session (or of a session's key), in the chosen organisation; None if nobody is signed in.

    A session that has become invalid (suspension, another password) is ended, and that is recorded.
    """
    if isinstance(session, str):
        session = _load_session(session)
    if session.get(SESSION_KEY) is None:
        return None
    identifier = _uuid(session[SESSION_KEY])
    user = user_by_id(identifier) if identifier else None
    memberships = memberships_of(user.id) if user else []
    active = enterable(memberships, session)
    if user is None or not active or not _is_valid(session, user):
        suspended = memberships and not any(one.active for one in memberships)
        reason = "The person is suspended." if suspended else "The session is no longer valid."
        refuse_person(
            "person.authenticate", reason, user=user, memberships=memberships, request=request, address=address
        )
        session.flush()
        return None
    if session.session_key:
        note_session(session.session_key, user.id)
    chosen = _uuid(session.get(ORGANISATION_KEY))
    return actor_of_user(
        user,
        next((one for one in active if one.organisation == chosen), active[0]),
        method=AuthenticationMethod(session.get(METHOD_KEY, AuthenticationMethod.NONE)),
        authenticated_at=_moment(session.get(SINCE_KEY)),
        request=request,
        address=address,
    )


def enterable(memberships: Sequence[MembershipRow], session: SessionBase | Mapping[str, Any]) -> list[MembershipRow]:
    """Where a session may act: not where the person is suspended, nor where another way of signing in is required, nor
    where all sessions of the person were ended after it began, nor where somebody else has seated an address that
    nothing has proved to be whose password it is.

    An organisation may only let people into itself, so a session of its provider counts nowhere else,
    and ends when that is switched off. A link of the
    shell opens every door: it is how an organisation gets back in whose provider has failed.
    """
    since = _moment(session.get(SINCE_KEY))
    active = [one for one in memberships if one.active and _counts(one, since)]
    match session.get(METHOD_KEY):
        case AuthenticationMethod.SINGLE_SIGN_ON.value:
            bound = _uuid(session.get(BOUND_KEY))
            return [one for one in active if one.organisation == bound and one.federated]
        case AuthenticationMethod.SIGN_IN_LINK.value:
            return active
        case _:
            return [one for one in active if one.own_ways and not one.single_sign_on]


def _counts(membership: MembershipRow, since: datetime | None) -> bool:
    return membership.sessions_from is None or (since is not None and since >= membership.sessions_from)


def actor_of_key(token: str, *, request: str = "", address: str = "") -> Actor | None:
    """The person or service that an API key stands for; None, and a recorded refusal, if it is not valid."""
    prefix = prefix_of(token)
    key = key_by_prefix(prefix) if prefix else None
    same = matches(token, key.digest if key else None)
    problem = _problem_of(key) if key is not None and same else "The API key is unknown."
    if key is None or problem:
        refuse_key(problem, key if same else None, request=request, address=address)
        return None
    note_use(key.id, key.organisation)
    return Actor(
        kind=ActorKind(key.kind),
        name=key.name,
        principal=key.principal,
        organisation=key.organisation,
        scopes=key.scopes or None,
        key=key.id,
        method=AuthenticationMethod.API_KEY,
        request=request,
        address=address,
    )


def _problem_of(key: KeyRow) -> str:
    if key.revoked:
        return "The API key is revoked."
    if key.expired:
        return "The API key has expired."
    return "" if key.state == PrincipalState.ACTIVE else f"{key.name} is suspended."


def _is_valid(session: SessionBase, user: User) -> bool:
    # Django's hash over the password: a new password ends all other sessions. Not those of a provider while nothing has
    # proved that whoever has the password is the same person.
    if not user.proved and session.get(METHOD_KEY) == AuthenticationMethod.SINGLE_SIGN_ON.value:
        return user.is_active
    return user.is_active and constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())


def _load_session(key: str) -> SessionBase:
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(session_key=key)
    return store


def _renew_hash(user: User, password: str) -> None:
    """Django's hashing has become stronger since the password was set."""
    former = user.password
    user.set_password(password)
    with transaction.atomic():
        see_as_user(user.id)
        # Not over another one that was set meanwhile.
        User.objects.filter(pk=user.pk, password=former).update(password=user.password)


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
