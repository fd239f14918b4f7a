"""Whose act an ask is about: nobody decides on their own, nor on what is asked for by a service whose key they have."""

from collections.abc import Sequence
from uuid import UUID

from agents.runs.models import Run
from foundation.identity.models import ApiKey
from governance.approvals.models import ApprovalRequest

OWN = "You asked for this yourself, or it is done for you: somebody else must decide."
THROUGH_A_KEY = "You have had a key of the service that asked for this: somebody else must decide."


def why_own(principal: UUID | None, requests: Sequence[ApprovalRequest]) -> dict[UUID, str]:
    """Why this principal decides on some of these asks not, by their ids: two queries, however many there are."""
    told = {one.pk: OWN for one in requests if one.is_of(principal)}
    keys = list(ApiKey.objects.filter(shown_to=principal).exclude(principal=principal)) if principal else []
    if not keys:
        return told
    began = dict(Run.objects.filter(pk__in={one.run.root_id for one in requests}).values_list("pk", "created_at"))
    for one in requests:
        start = began.get(one.run.root_id, one.run.created_at)
        if any(one.is_of(key.principal_id) and all(end is None or end > start for end in _ends(key)) for key in keys):
            told.setdefault(one.pk, THROUGH_A_KEY)
    return told


def _ends(key: ApiKey) -> tuple[object, ...]:
    return key.revoked_at, key.expires_at
