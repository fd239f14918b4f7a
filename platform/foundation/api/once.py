"""`Idempotency-Key`: the same request with the same key makes one thing, however often it is sent.

The key is written in the transaction that makes the thing: a request that fails uses none up, and of two that come at
the same moment the second waits for the first.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model
from django.utils.crypto import salted_hmac

from foundation.access.guards import UnknownError
from foundation.actors import Actor
from foundation.api.models import Submission
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import organisation_of

HEADER = "Idempotency-Key"
LONGEST_KEY = 120
KEPT = timedelta(days=30)


def key_of(headers: Any) -> str | None:
    """The key that a request brings, if any. Raises InvalidError."""
    key: str | None = headers.get(HEADER)
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidError(f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters.")
    return key


def made_once(
    actor: Actor, key: str, request: Any, make: Callable[[], Any], again: Callable[[type[Model], UUID], Any]
) -> Any:
    """What `make` makes; or, where this very request has come before, what `again` finds of what was made then.

    Raises ConflictError where the key came with another request.
    """
    if actor.principal is None:
        raise InvalidError("Only a person or a service sends keys: sign in as one.")
    # A body may hold a secret, which no plain digest hides.
    said = json.dumps([request.method, request.path, request.data], sort_keys=True)
    digest = salted_hmac("foundation.api.once", said, algorithm="sha256").hexdigest()
    sent, new = Submission.objects.get_or_create(
        organisation_id=organisation_of(actor), principal=actor.principal, key=key, defaults={"digest": digest}
    )
    if new:
        made = make()
        if isinstance(made, Model):
            sent.model, sent.thing = made._meta.label_lower, made.pk
            sent.save(update_fields=["model", "thing"])
        return made
    if sent.digest != digest:
        raise ConflictError(f"This {HEADER} came with another request: take a new one for a new request.")
    if sent.thing is None:
        raise ConflictError(f"This {HEADER} has done its work already.")
    found = again(apps.get_model(sent.model), sent.thing)
    if found is None:
        raise UnknownError(sent.model.rpartition(".")[2])
    return found
