"""The browsers in which a person is signed in. Each is Django's session and a row that tells of it."""

from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from foundation.actors import Actor, AuthenticationMethod
from foundation.audit.record import entry, record
from foundation.identity.lookups import seeing_as
from foundation.identity.models import WebSession
from foundation.identity.requests import address_of
from foundation.identity.step_up import refuse_foreign

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
    return WebSession.objects.filter(Exists(lives), user_id=user).order_by("-last_seen_at")


def forget_session(key: str | None, user: UUID | None) -> None:
    """The session has ended by itself."""
    if key and user:
        with seeing_as(user):
            WebSession.objects.filter(key=key).delete()


def end_others(user: UUID, key: str) -> int:
    """End every session of a person but one: how many there were. The transaction sees as that person."""
    others = WebSession.objects.filter(user_id=user).exclude(key=key)
    Session.objects.filter(session_key__in=list(others.values_list("key", flat=True))).delete()
    return others.delete()[0]


@transaction.atomic
def end_session(*, actor: Actor, session: WebSession) -> None:
    """Sign a browser of one's own out, at once."""
    refuse_foreign(actor)
    Session.objects.filter(session_key=session.key).delete()
    session.delete()
    details = {"browser": session.browser, "address": session.address}
    record(entry(actor, "person.end_session", target_kind="person", target_id=actor.user, target_name=actor.name,
                 details=details))  # fmt: skip


@transaction.atomic
def end_other_sessions(*, actor: Actor, user: UUID, key: str) -> int:
    """Sign all browsers of one's own out but this one."""
    refuse_foreign(actor)
    ended = end_others(user, key)
    record(entry(actor, "person.end_session", target_kind="person", target_id=actor.user, target_name=actor.name,
                 details={"ended": ended}))  # fmt: skip
    return ended
