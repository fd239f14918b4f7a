"""Rotation of API keys: the next key is made while the former still opens, for as long as it takes to bring it out."""

from datetime import datetime, timedelta

from django.db import transaction

from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.lineage import acting_key, locked_keys, made_by, maker_of, shorten
from foundation.identity.models import ApiKey
from foundation.identity.services import create_api_key
from foundation.inputs import refuse_agent
from foundation.instants import database_now

DAY = 24 * 3600  # seconds
LONGEST_OVERLAP = 30 * DAY


@transaction.atomic
def rotate_api_key(
    *, actor: Actor, api_key: ApiKey, overlap: int = DAY, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """The successor and its secret, which is shown this once; the former key ends after `overlap` seconds.

    The successor has the same name, principal, scopes and maker. Unless `expires_at` is given it lives as long as the
    former was made to live, within its maker's end. Only whoever could make such a key rotates one. What a key rotates,
    it has made: a key that rotates itself gets no later end, and the successor is revoked with it.
    """
    refuse_agent(actor)
    if not 0 <= overlap <= LONGEST_OVERLAP:
        raise InvalidError(f"Both keys open for 0 to {LONGEST_OVERLAP // DAY} days: choose within that.", "overlap")
    made_it = maker_of(ApiKey.objects.get(pk=api_key.pk))
    rows = locked_keys({api_key.pk, actor.key, made_it})
    former, now = rows[api_key.pk], database_now()
    _refuse_dead(former, now)
    if actor.key is not None and made_it not in {None, actor.key} and actor.key != former.pk:
        raise LackingError("Another key made this one: rotate it with that key, with itself, or signed in as a person.")
    maker = acting_key(actor) or (rows[made_it] if made_it else None)
    heirs = made_by([former.pk])
    made, secret = create_api_key(
        actor=actor,
        principal=former.principal,
        name=former.name,
        scopes=tuple(former.scopes),
        expires_at=expires_at or _as_long(former, maker, now),
        maker=maker,
    )
    ends = now + timedelta(seconds=overlap)
    former.expires_at = min(former.expires_at, ends) if former.expires_at else ends
    shorten(heirs, former.expires_at)
    former.successor = made
    former.save(update_fields=["expires_at", "successor"])
    details = {"principal": former.principal_id, "prefix": former.prefix, "successor": made.id,
               "successor_prefix": made.prefix, "ends_at": former.expires_at}  # fmt: skip
    record(
        entry(actor, "key.rotate", target_kind="api_key", target_id=former.id, target_name=former.name, details=details)
    )
    return made, secret


def _refuse_dead(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None:
        raise ConflictError(f"The key {key.name} is revoked: make another one.")
    if key.expires_at is not None and key.expires_at <= now:
        raise ConflictError(f"The key {key.name} has expired: make another one.")
    if key.successor_id is not None:
        raise ConflictError(f"The key {key.name} was rotated already: rotate its successor.")


def _as_long(key: ApiKey, maker: ApiKey | None, now: datetime) -> datetime | None:
    if key.expires_at is None:
        return None
    end = now + (key.expires_at - key.created_at)
    return min(end, maker.expires_at) if maker is not None and maker.expires_at else end
