"""When an API key or a web session was last used, written at most once a minute by each process."""

import threading
import time
from uuid import UUID

from django.db.models.functions import Now

from foundation.identity.lookups import seeing_as
from foundation.identity.models import ApiKey, WebSession
from foundation.tenancy.context import tenant

_EVERY = 60.0  # seconds
_MOST_REMEMBERED = 10_000

_written: dict[UUID | str, float] = {}
_lock = threading.Lock()


def note_use(key: UUID, organisation: UUID) -> None:
    """Write it, in a transaction of its own, unless that was done within the last minute."""
    if _is_due(key):
        with tenant(organisation):
            ApiKey.objects.filter(pk=key).update(last_used_at=Now())


def note_session(key: str, user: UUID) -> None:
    """The same for a web session, by Django's key."""
    if _is_due(key):
        with seeing_as(user):
            WebSession.objects.filter(key=key).update(last_seen_at=Now())


def _is_due(name: UUID | str) -> bool:
    now = time.monotonic()
    with _lock:
        if now - _written.get(name, -_EVERY) < _EVERY:
            return False
        if len(_written) >= _MOST_REMEMBERED:
            _written.clear()
        _written[name] = now
    return True
