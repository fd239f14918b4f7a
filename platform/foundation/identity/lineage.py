"""Keys that were made by keys: none outlives its maker, and each is revoked with it."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from foundation.actors import Actor
from foundation.audit.record import Entry, entry
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import ApiKey
from foundation.instants import database_now


def locked_keys(keys: Collection[UUID | None]) -> dict[UUID, ApiKey]:
    """The rows as they are. Ids grow: a maker is locked before what it made, so that no two verbs wait in a ring."""
    rows = ApiKey.objects.select_for_update(of=("self",)).select_related("principal")
    return {one.pk: one for one in rows.filter(pk__in=[key for key in keys if key]).order_by("id")}


def acting_key(actor: Actor) -> ApiKey | None:
    """The key that acts, if one does. Its row stays locked: whoever revokes it waits, and finds what it has made."""
    if actor.key is None:
        return None
    found = locked_keys([actor.key]).get(actor.key)
    if found is None or found.revoked_at is not None:
        raise ConflictError("The key that asks for this is revoked.")
    return found


def end_within(maker: ApiKey | None, wished: datetime | None) -> datetime | None:
    """When a key ends that has this maker: with it, unless an earlier end is wished. Raises InvalidError."""
    if maker is None or maker.expires_at is None:
        return wished
    if wished is not None and wished > maker.expires_at:
        raise InvalidError("A key cannot make one that ends later than itself: choose an earlier end.", "expires_at")
    return wished or maker.expires_at


def maker_of(key: ApiKey) -> UUID | None:
    """Which key made this one. A key that has rotated itself made its successor in its own place: its maker counts."""
    child, maker = key, key.made_by
    while maker is not None and maker.successor_id == child.pk:
        child, maker = maker, maker.made_by
    return maker.pk if maker else None


def made_by(keys: Collection[UUID]) -> list[ApiKey]:
    """All that these keys have made, and what those have made in turn, unless it is revoked; locked."""
    found: list[ApiKey] = []
    level = list(keys)
    while level:
        rows = ApiKey.objects.select_for_update(of=("self",)).filter(made_by__in=level, revoked_at=None)
        made = list(rows.order_by("id"))
        level = [one.pk for one in made]
        found += made
    return found


def shorten(keys: Collection[ApiKey], end: datetime) -> None:
    """None of these, which are locked, ends later than this."""
    longer = [one.pk for one in keys if one.expires_at is None or one.expires_at > end]
    ApiKey.objects.filter(pk__in=longer).update(expires_at=end)


def revoke_made_by(actor: Actor, keys: Collection[UUID]) -> list[Entry]:
    """A part of the verbs that revoke keys: those that they have made go too; what is to be recorded of them."""
    made = made_by(keys)
    ApiKey.objects.filter(pk__in=[one.pk for one in made]).update(revoked_at=database_now())
    return [about_revoked(actor, one) for one in made]


def about_revoked(actor: Actor, key: ApiKey) -> Entry:
    """What the record says of a key that is revoked."""
    details = {"principal": key.principal_id, "prefix": key.prefix, "made_by": key.made_by_id}
    return entry(
        actor, "key.revoke", target_kind="api_key", target_id=key.id, target_name=key.name, details=details
    )  # fmt: skip
