"""Verbs that stop people: what they hold here ends with them, and the last administrator stays."""

from django.db import transaction

from foundation.access.models import Grant
from foundation.access.services import administrators
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.lineage import revoke_made_by
from foundation.identity.models import GroupMember, Membership, Principal, PrincipalKind, PrincipalState
from foundation.identity.revocation import end_keys
from foundation.identity.services import suspend_principal
from foundation.inputs import checked_optional, refuse_agent
from foundation.organisations.models import Organisation

_WHO_LEAVES = (PrincipalKind.PERSON, PrincipalKind.SERVICE)


@transaction.atomic
def stop_person(*, actor: Actor, principal: Principal, reason: str) -> Principal:
    """Suspend a person or service: sessions and keys are refused from the next request on. Grants stay."""
    keep_an_administrator(principal)
    return suspend_principal(actor=actor, principal=principal, reason=reason)


@transaction.atomic
def leave(*, actor: Actor, principal: Principal, reason: str = "", by_directory: bool = False) -> Principal:
    """A person or service leaves for good: keys are revoked, grants withdrawn, groups left, sessions end here.

    The person may sign in to its other organisations, and can be added here anew, as another principal. What it is the
    sponsor of becomes ownerless: `offboard_person` hands that over first.
    """
    refuse_agent(actor)
    reason = checked_optional(reason, 300, "reason")
    keep_an_administrator(principal)
    found = Principal.objects.select_for_update().get(pk=principal.pk)
    if found.kind not in _WHO_LEAVES:
        raise InvalidError(f"{found.name} is neither a person nor a service: it cannot leave.")
    if found.state == PrincipalState.LEFT:
        raise ConflictError(f"{found.name} has left already.")
    if not by_directory:
        refuse_kept(found)
    held = end_keys(found.pk)
    made = revoke_made_by(actor, [one.pk for one in held])
    groups, _ = GroupMember.objects.filter(member=found).delete()
    grants = end_grants(actor, found)
    Membership.objects.filter(principal=found).delete()
    found.state = PrincipalState.LEFT
    found.save(update_fields=["state"])
    record(
        *grants,
        *made,
        _about(actor, f"{found.kind}.leave", found, reason, keys=len(held), groups=groups, grants=len(grants)),
    )
    return found


def keep_an_administrator(principal: Principal) -> None:
    """Raises InvalidError if nobody else administers the organisation. Others who take one away wait here."""
    Organisation.objects.select_for_update().get(pk=principal.organisation_id)
    held = administrators(principal.organisation_id)
    if held.filter(principal=principal).exists() and not held.exclude(principal=principal).exists():
        raise InvalidError(f"{principal.name} is the last administrator of the organisation: name another one first.")


def refuse_kept(principal: Principal) -> None:
    """Raises ConflictError for whoever a directory keeps: by hand it would be undone by the next synchronisation."""
    if principal.directory:
        raise ConflictError(f"A directory keeps {principal.name} over SCIM: change it there.")


def end_grants(actor: Actor, principal: Principal) -> list[Entry]:
    """Delete all grants of a principal that goes; what the record is to say of each."""
    held = list(Grant.objects.select_for_update(of=("self",)).filter(principal=principal).select_related("target"))
    told = [
        entry(
            actor,
            "grant.withdraw",
            target_kind=one.target.kind,
            target_id=one.target_id,
            target_name=one.target.name,
            details={"grant": one.id, "principal": principal.id, "principal_name": principal.name, "role": one.role},
        )
        for one in held
    ]
    Grant.objects.filter(pk__in=[one.pk for one in held]).delete()  # at once: who holds what is worked out once
    return told


def _about(actor: Actor, action: str, principal: Principal, reason: str, **details: object) -> Entry:
    return entry(
        actor,
        action,
        target_kind=principal.kind,
        target_id=principal.id,
        target_name=principal.name,
        reason=reason,
        details=details,
    )
