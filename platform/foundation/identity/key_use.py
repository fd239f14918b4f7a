"""When an API key was last used, written at most once a minute by each process."""

import threading
import time
from uuid import UUID

from django.db.models.functions import Now

from foundation.identity.models import ApiKey
from foundation.tenancy.context import tenant

_EVERY = 60.0  # seconds
_MOST_REMEMBERED = 10_000

_written: dict[UUID, float] = {}
_lock = threading.Lock()


def note_use(key: UUID, organisation: UUID) -> None:
    """Write it, in a transaction of its own, unless that was done within the last minute."""
    now = time.monotonic()
    with _lock:
        if now - _written.get(key, -_EVERY) < _EVERY:
            return
        if len(_written) >= _MOST_REMEMBERED:
            _written.clear()
        _written[key] = now
    with tenant(organisation):
        ApiKey.objects.filter(pk=key).update(last_used_at=Now())
