"""The end of all API keys of somebody, as a part of verbs on people."""

from uuid import UUID

from django.db.models.functions import Now

from foundation.actors import Actor
from foundation.audit.record import Entry
from foundation.identity.lineage import about_revoked, revoke_made_by
from foundation.identity.models import ApiKey


def end_keys(principal: UUID) -> list[ApiKey]:
    """None of them is accepted again; those that were in force."""
    rows = ApiKey.objects.select_for_update(of=("self",)).filter(principal_id=principal, revoked_at=None)
    held = list(rows.order_by("id"))
    ApiKey.objects.filter(pk__in=[one.pk for one in held]).update(revoked_at=Now())
    return held


def revoke_keys_of(actor: Actor, principal: UUID) -> list[Entry]:
    """Nor is any accepted again that they have made; what is to be recorded of them."""
    held = end_keys(principal)
    return [*(about_revoked(actor, one) for one in held), *revoke_made_by(actor, [one.pk for one in held])]
