"""Failed authentication goes into the record: of each organisation concerned, or of the installation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from foundation.actors import ANONYMOUS, Actor
from foundation.audit.record import entry, record_refusal
from foundation.identity.attempts import TOLD, count_refused, is_told, source_of
from foundation.identity.lookups import KeyRow, MembershipRow
from foundation.identity.models import User


def anonymous(*, request: str, address: str) -> Actor:
    """Nobody, with the name of the request and the address that it came from."""
    return replace(ANONYMOUS, request=request, address=address)


def refuse_person(
    action: str,
    reason: str,
    *,
    user: User | None,
    memberships: Sequence[MembershipRow],
    request: str,
    address: str,
    email: str = "",
    details: Mapping[str, int] | None = None,
) -> None:
    """Somebody was not let in. The address of mail that was tried can be erased from the record later."""
    who = anonymous(request=request, address=address)
    places: list[UUID | None] = [one.organisation for one in memberships] or [None]
    record_refusal(
        *(
            entry(
                who,
                action,
                target_kind="person" if user else "",
                target_id=user.id if user else None,
                target_name=user.name if user else "",
                outcome="denied",
                reason=reason,
                details=details,
                body={"email": email} if email else None,
                organisation=place,
            )
            for place in places
        )
    )


def refuse_key(reason: str, key: KeyRow | None, *, request: str, address: str) -> None:
    """An API key was not accepted. Of many tries of one source the record tells some, with the number of all so far."""
    tries = count_refused(f"key {key.id}" if key else f"address {source_of(address)}")
    if not is_told(tries):
        return
    record_refusal(
        entry(
            anonymous(request=request, address=address), "key.authenticate", target_kind="api_key" if key else "",
            target_id=key.id if key else None, target_name=key.name if key else "", outcome="denied", reason=reason,
            organisation=key.organisation if key else None, details={"tries": tries} if tries > TOLD else None,
        )
    )  # fmt: skip
