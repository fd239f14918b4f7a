"""Whether what a token speaks of still stands: who is named, what it rests on, and whether it was used already."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import connections
from django.db.models import Q

from foundation.delegation.effective import Link, effective, holder, is_live, line_of, link_of, link_of_holder
from foundation.delegation.models import DelegationGrant
from foundation.delegation.tokens import Claims, TokenRefusedError
from foundation.identity.models import ApiKey, Principal, PrincipalKind, PrincipalState
from foundation.ids import uuid7

_SPEND = """
INSERT INTO delegation_spenttoken (id, organisation_id, jti, expires_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


def check_standing(claims: Claims, *, audience: str, now: datetime, own: Sequence[Link] = ()) -> Claims:
    """What is left of a token at this moment, as what it rests on may have been narrowed since it was made.

    Everybody whom it names must be active, its delegation and the key it was exchanged for must hold and reach the
    audience, and something must be left to do. `own` is what the agent itself may do. Raises TokenRefusedError.
    """
    named = _named(claims)
    if any(one not in named or named[one].state != PrincipalState.ACTIVE for one in claims.chain):
        raise TokenRefusedError("Somebody whom the token names may not act any more.")
    if claims.key is not None and not _opens(claims, now):
        raise TokenRefusedError("The key that the token was exchanged for is over.")
    line = _line(claims, now)
    left = effective([link_of_token(claims), *_links_of(claims, named), *(link_of(one, now) for one in line), *own])
    if not left:
        raise TokenRefusedError("Nothing that the token says may be done any more.")
    reached = tuple(name for name in claims.audience if all(name in one.audience for one in line))
    if audience not in reached:
        raise TokenRefusedError("The delegation that the token rests on does not reach this audience any more.")
    return replace(claims, scopes=left, audience=reached)


def link_of_token(claims: Claims) -> Link:
    """What a token itself says."""
    return Link(name="The token", kind="token", rights=claims.scopes, why="What the token says.")


def links_of_holders(claims: Claims) -> list[Link]:
    """Those at the end of the chain who are no agents, and what they may do themselves."""
    return _links_of(claims, _named(claims))


def _named(claims: Claims) -> dict[UUID, Principal]:
    return Principal.objects.filter(organisation_id=claims.organisation, pk__in=claims.chain).in_bulk()


def _links_of(claims: Claims, rows: Mapping[UUID, Principal]) -> list[Link]:
    agents = [one for one in claims.chain if one in rows and rows[one].kind == PrincipalKind.AGENT]
    others = [one for one in claims.chain if one not in agents]
    nobody = Link(name="?", kind="unknown", rights=frozenset(), why="Nobody knows who this is.")
    return [link_of_holder(holder(rows[one]), agents[-1]) if one in rows else nobody for one in others]


def spend(claims: Claims, using: str = "default") -> None:
    """Use a token up, in the organisation's transaction. Raises TokenRefusedError for one that was used already."""
    with connections[using].cursor() as cursor:
        # What would have expired anyway need not be remembered.
        cursor.execute("DELETE FROM delegation_spenttoken WHERE expires_at < now() - interval '1 minute'")
        cursor.execute(_SPEND, [uuid7(), claims.organisation, claims.jti, claims.expires_at])
        if cursor.rowcount != 1:
            raise TokenRefusedError("The token was used already.")


def _line(claims: Claims, now: datetime) -> list[DelegationGrant]:
    if claims.delegation is None:
        return []
    grants = DelegationGrant.objects.filter(organisation_id=claims.organisation).select_related("giver", "receiver")
    grant = grants.filter(pk=claims.delegation).first()
    line = [] if grant is None else line_of(grant)
    if not line or not all(is_live(one, now) for one in line):
        raise TokenRefusedError("The delegation that the token rests on is over.")
    return line


def _opens(claims: Claims, now: datetime) -> bool:
    rows = ApiKey.objects.filter(organisation_id=claims.organisation, pk__in=[claims.key], revoked_at=None)
    return rows.filter(Q(expires_at=None) | Q(expires_at__gt=now)).exists()
