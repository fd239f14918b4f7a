"""Leaving for good: what a person or service lets agents do in its name ends with it."""

from django.db import transaction
from django.db.models import Q

from foundation.access.people import leave
from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.delegation.models import DelegationGrant
from foundation.identity.models import Principal
from foundation.instants import database_now


@transaction.atomic
def leave_for_good(*, actor: Actor, principal: Principal, reason: str = "", by_directory: bool = False) -> Principal:
    """As `foundation.access.people.leave`; every way out goes through here."""
    left = leave(actor=actor, principal=principal, reason=reason, by_directory=by_directory)
    end_delegations(actor=actor, principal=left)
    return left


@transaction.atomic
def end_delegations(*, actor: Actor, principal: Principal) -> None:
    """Revoke all that rest on a principal's power, those that its agents have passed on too."""
    now = database_now()
    rows = DelegationGrant.objects.select_for_update(of=("self",)).select_related("receiver")
    ended = list(rows.filter(Q(person=principal) | Q(giver=principal), revoked_at=None, expires_at__gt=now))
    DelegationGrant.objects.filter(pk__in=[one.pk for one in ended]).update(revoked_at=now)
    record(
        *(
            entry(
                actor,
                "delegation.revoke",
                target_kind="agent",
                target_id=one.receiver_id,
                target_name=one.receiver.name,
                reason=f"{principal.name} has left.",
                details={"delegation": one.pk, "person": one.person_id, "giver": one.giver_id, "parent": one.parent_id},
            )
            for one in ended
        )
    )
