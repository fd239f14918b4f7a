"""The browsers in which a person is signed in. Each is Django's session and a row that tells of it."""

from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from foundation.actors import Actor, AuthenticationMethod
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError
from foundation.identity.lookups import memberships_of, seeing_as
from foundation.identity.models import Membership, Principal, WebSession
from foundation.identity.requests import address_of
from foundation.identity.step_up import refuse_foreign, require_browser
from foundation.inputs import refuse_agent
from foundation.instants import database_now

NAME = 200  # characters of what a browser calls itself


def remember_session(
    request: HttpRequest, user: UUID, method: AuthenticationMethod, bound_to: UUID | None
) -> WebSession:
    """Tell of the session that this request has begun; the transaction sees as its person."""
    row, _ = WebSession.objects.update_or_create(
        key=request.session.session_key or "",
        defaults={
            "user_id": user, "method": method.value, "bound_to_id": bound_to, "address": address_of(request)[:64],
            "browser": request.headers.get("User-Agent", "")[:NAME],
        },
    )  # fmt: skip
    return row


def sessions_of(user: UUID) -> QuerySet[WebSession]:
    """Those that go on, last used first: what has run out is no browser that anybody is signed in with."""
    lives = Session.objects.filter(session_key=OuterRef("key"), expire_date__gt=Now())
    return _own(user).filter(Exists(lives)).order_by("-last_seen_at")


def forget_session(key: str | None, user: UUID | None) -> None:
    """The session has ended by itself."""
    if key and user:
        with seeing_as(user):
            WebSession.objects.filter(key=key).delete()


def end_others(user: UUID, key: str) -> int:
    """End every session of a person but one: how many there were. The transaction sees as that person."""
    others = _own(user).exclude(key=key)
    Session.objects.filter(session_key__in=list(others.values_list("key", flat=True))).delete()
    return others.delete()[0]


def end_sessions_bound_to(organisation: UUID, user: UUID) -> None:
    """End those of a person that an organisation's provider has begun."""
    with seeing_as(user):
        bound = WebSession.objects.filter(user_id=user, bound_to_id=organisation)
        Session.objects.filter(session_key__in=list(bound.values_list("key", flat=True))).delete()
        bound.delete()


@transaction.atomic
def end_session(*, actor: Actor, session: WebSession) -> None:
    """Sign a browser of one's own out, at once."""
    _refuse_others(actor)
    with seeing_as(session.user_id):
        Session.objects.filter(session_key=session.key).delete()
        session.delete()
    record(_about(actor, session.user_id, actor.name, browser=session.browser, address=session.address))


@transaction.atomic
def end_other_sessions(*, actor: Actor, user: UUID, key: str) -> int:
    """Sign all browsers of one's own out but this one."""
    _refuse_others(actor)
    with seeing_as(user):
        ended = end_others(user, key)
    record(_about(actor, user, actor.name, ended=ended))
    return ended


@transaction.atomic
def end_sessions_of(*, actor: Actor, person: Principal) -> None:
    """Sign a person out of this organisation in every browser, at once. Elsewhere it stays signed in.

    Who signs in anew, or proves anew who it is, may act here again.
    """
    refuse_agent(actor)
    membership = Membership.objects.select_for_update().filter(principal=person).first()
    if membership is None:
        raise ConflictError(f"{person.name} does not sign in here.")
    membership.sessions_from = database_now()
    membership.save(update_fields=["sessions_from"])
    user, place = membership.user_id, membership.organisation_id
    only_here = all(one.organisation == place for one in memberships_of(user))
    with seeing_as(user):
        rows = WebSession.objects.filter(user_id=user)
        useless = rows if only_here else rows.filter(bound_to_id=place)
        Session.objects.filter(session_key__in=list(useless.values_list("key", flat=True))).delete()
        useless.delete()
    record(entry(actor, "person.end_session", target_kind="person", target_id=person.id, target_name=person.name))


def own_user(actor: Actor) -> UUID | None:
    """Who sits at this browser, over all organisations; none for whoever an organisation's provider has let in.

    A key is refused: an organisation may have made it for itself, in the name of a person who belongs to others, too.
    """
    require_browser(actor, "shows or ends browsers, or shows second factors")
    return None if actor.method is AuthenticationMethod.SINGLE_SIGN_ON else actor.user


def _own(user: UUID) -> QuerySet[WebSession]:
    """Not those that a provider has begun for an address which nothing has proved to be this person's."""
    return WebSession.objects.filter(Q(bound_to=None) | Q(user__proved=True), user_id=user)


def _refuse_others(actor: Actor) -> None:
    require_browser(actor, "ends browsers")
    refuse_foreign(actor)


def _about(actor: Actor, user: UUID, name: str, **details: object) -> Entry:
    return entry(actor, "person.end_session", target_kind="person", target_id=user, target_name=name, details=details)
