"""Signing in and out of the console. The pages are the console's; these are the verbs behind them.

Call the two ways in outside any transaction (the middleware opens none for their pages): an attempt counts, and its
refusal is recorded, however the request ends.
"""

from uuid import UUID

from django.contrib.auth import authenticate, update_session_auth_hash
from django.http import HttpRequest

from foundation.actors import ANONYMOUS, Actor, AuthenticationMethod, shell_actor
from foundation.audit.record import record
from foundation.errors import InvalidError
from foundation.identity.attempts import succeed
from foundation.identity.authentication import METHOD_KEY, ORGANISATION_KEY, SINCE_KEY, actor_of_user, enterable
from foundation.identity.beginning import about, allow, begin_session, held, hold, refuse
from foundation.identity.lookups import memberships_of, use_sign_in_link, user_by_email, user_by_id
from foundation.identity.models import User
from foundation.identity.proof import renounce
from foundation.identity.requests import address_of
from foundation.identity.second_factor import check_second_factor, has_second_factor, user_of_passkey
from foundation.identity.sessions import end_others, forget_session, remember_session
from foundation.identity.step_up import refuse_foreign
from foundation.identity.tokens import digest
from foundation.instants import database_now
from foundation.tenancy.context import tenant


def sign_in_with_password(request: HttpRequest, email: str, password: str) -> bool:
    """Begin a web session, or hold it until the second factor comes: whether it has begun.

    Raises InvalidError with one line that does not tell whether the address is known.
    """
    email = email.strip().lower()
    allow(request, email)
    user = authenticate(request, email=email, password=password)
    if not isinstance(user, User):
        refuse(request, "The address or the password is wrong.", user_by_email(email), email)
    if has_second_factor(user.id):
        hold(request, user)
        succeed(email, address_of(request))
        return False
    begin_session(request, user, AuthenticationMethod.PASSWORD, email=email)
    return True


def sign_in_with_second_factor(request: HttpRequest, answer: str) -> None:
    """Begin the session that the password has prepared. `answer` is a code, or what a passkey has signed (JSON)."""
    user = held(request)
    if user is None:
        raise InvalidError("The password was entered too long ago: start again.")
    allow(request, f"second factor of {user.id}")
    kind = check_second_factor(user, answer)
    if not kind:
        refuse(request, "The code is wrong, was used already, or is too old.", user, "")
    succeed(f"second factor of {user.id}", "")
    begin_session(request, user, AuthenticationMethod.PASSWORD, email=user.email, second_factor=kind)


def sign_in_with_passkey(request: HttpRequest, answer: str) -> None:
    """Begin a web session with a passkey alone, which has checked who holds it."""
    allow(request, "")
    user = user_of_passkey(answer)
    if user is None or not user.is_active:
        refuse(request, "This passkey is not known here.", user, "")
    begin_session(request, user, AuthenticationMethod.PASSKEY)


def sign_in_with_link(request: HttpRequest, token: str) -> User:
    """Begin a web session with a link, which is used up by it. Raises InvalidError."""
    allow(request, "")
    identifier = use_sign_in_link(digest(token))
    user = user_by_id(identifier) if identifier else None
    if user is None or not user.is_active:
        refuse(request, "This link was used already or is too old: ask for a new one.", user, "")
    if not user.proved:
        renounce(actor=shell_actor(), user=user.id, proved=True)
        user = user_by_id(user.id) or user
    begin_session(request, user, AuthenticationMethod.SIGN_IN_LINK)
    return user


def confirm(request: HttpRequest, user: User, *, password: str, answer: str) -> None:
    """Whoever is signed in says so once more: with the second factor if there is one, else with the password.

    The session is fresh from now on. Raises InvalidError. Who came in through a provider confirms it there.
    """
    actor = _actor(request)
    refuse_foreign(actor)
    allow(request, f"confirmation of {user.id}")
    strong = has_second_factor(user.id)
    kind = check_second_factor(user, answer) if strong else "password" if user.check_password(password) else ""
    if not kind:
        refuse(request, "The code is wrong, or was used already." if strong else "The password is wrong.", user, "")
    succeed(f"confirmation of {user.id}", address_of(request))
    request.session[SINCE_KEY] = database_now().isoformat()
    if actor.organisation is not None:
        with tenant(actor.organisation):
            record(about(actor, "person.confirm", {"with": kind}))


def sign_out(request: HttpRequest) -> None:
    """End the web session."""
    actor = _actor(request)
    if actor.organisation is not None:
        with tenant(actor.organisation):
            record(about(actor, "person.sign_out"))
    key = request.session.session_key
    # First the session: open event streams, which are told when its row goes, must find it gone.
    request.session.flush()
    forget_session(key, actor.user)


def choose_organisation(request: HttpRequest, organisation_id: UUID) -> None:
    """Act in another of one's organisations from the next request on. Raises InvalidError."""
    actor = _actor(request)
    user = user_by_id(actor.user) if actor and actor.user else None
    rows = memberships_of(user.id) if user else []
    chosen = next((one for one in enterable(rows, request.session) if one.organisation == organisation_id), None)
    if user is None or chosen is None:
        raise InvalidError(
            "You do not belong to this organisation, are suspended there, or must sign in through its own provider.",
            "organisation",
        )
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
        record(about(there, "person.choose_organisation"))


def keep_signed_in(request: HttpRequest, user: User) -> None:
    """After a change of the own password: this session goes on, all others end."""
    update_session_auth_hash(request, user)
    request.session.save()
    end_others(user.id, request.session.session_key or "")
    remember_session(request, user.id, AuthenticationMethod(request.session[METHOD_KEY]), None)


def _actor(request: HttpRequest) -> Actor:
    # The middleware of the layer above has set it.
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    return actor
