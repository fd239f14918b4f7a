"""Whether what a token speaks of still stands: who is named, what it rests on, and whether it was used already."""

from datetime import datetime

from django.db import connections

from foundation.delegation.effective import is_live, line_of
from foundation.delegation.models import DelegationGrant
from foundation.delegation.tokens import Claims, TokenRefusedError
from foundation.identity.models import Principal, PrincipalState
from foundation.ids import uuid7

_SPEND = """
INSERT INTO delegation_spenttoken (id, organisation_id, jti, expires_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


def check_standing(claims: Claims, now: datetime, using: str = "default") -> None:
    """Everybody whom the token names may act, and its delegation holds. Raises TokenRefusedError."""
    rows = Principal.objects.using(using).filter(organisation_id=claims.organisation, pk__in=claims.chain)
    states = dict(rows.values_list("pk", "state"))
    if any(states.get(one) != PrincipalState.ACTIVE for one in claims.chain):
        raise TokenRefusedError("Somebody whom the token names may not act any more.")
    if claims.delegation is None:
        return
    grants = DelegationGrant.objects.using(using).filter(organisation_id=claims.organisation)
    grant = grants.select_related("giver", "receiver").filter(pk=claims.delegation).first()
    if grant is None or not all(is_live(one, now) for one in line_of(grant, using)):
        raise TokenRefusedError("The delegation that the token rests on is over.")


def spend(claims: Claims, using: str = "default") -> None:
    """Use a token up, in the organisation's transaction. Raises TokenRefusedError for one that was used already."""
    with connections[using].cursor() as cursor:
        # What would have expired anyway need not be remembered.
        cursor.execute("DELETE FROM delegation_spenttoken WHERE expires_at < now() - interval '1 minute'")
        cursor.execute(_SPEND, [uuid7(), claims.organisation, claims.jti, claims.expires_at])
        if cursor.rowcount != 1:
            raise TokenRefusedError("The token was used already.")
