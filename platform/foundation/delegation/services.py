"""Verbs on delegations: a person lets an agent act in its name, and says how far. What was given only narrows."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.delegation.effective import DEEPEST, covers, is_live, line_of, link_of_holder
from foundation.delegation.models import DelegationGrant
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.models import Principal, PrincipalKind
from foundation.inputs import checked_optional, checked_text, organisation_of, refuse_agent
from foundation.instants import database_now

LONGEST = timedelta(days=366)
MOST_WORDS = 100

_SCOPE = re.compile(r"(tool|agent):(\*|[A-Za-z0-9_-]+(\.(\*|[A-Za-z0-9_-]+))?)")
_AUDIENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}")


@transaction.atomic
def give_delegation(
    *,
    actor: Actor,
    receiver: Principal,
    scopes: Sequence[str],
    audience: Sequence[str],
    expires_at: datetime,
    reason: str = "",
    parent: DelegationGrant | None = None,
) -> DelegationGrant:
    """Let an agent act in one's name; with `parent`, let the agent that has that delegation pass a part of it on.

    Nobody gives more than they have, and nothing that a delegation passes on is wider or longer than itself.
    """
    refuse_agent(actor)
    if actor.principal is None:
        raise InvalidError("Only a person or a service can be acted for: sign in as one.")
    now = database_now()
    words, names = _checked_scopes(scopes), _checked_audience(audience)
    if not now < expires_at <= now + LONGEST:
        raise InvalidError(f"It must end later than now, and within {LONGEST.days} days.", "expires_at")
    giver = actor.principal
    if parent is not None:
        parent = _locked(parent)
        giver = parent.receiver_id
        _check_parent(actor, parent, words, names, expires_at, now)
    _check_receiver(receiver, giver, organisation_of(actor))
    _check_own(actor, receiver, words)
    given = DelegationGrant.objects.create(
        organisation_id=organisation_of(actor),
        person_id=actor.principal,
        giver_id=giver,
        receiver=receiver,
        parent=parent,
        scopes=words,
        audience=names,
        reason=checked_optional(reason, 300, "reason"),
        expires_at=expires_at,
    )
    record(_about(actor, "delegation.give", given))
    return given


@transaction.atomic
def narrow_delegation(
    *,
    actor: Actor,
    delegation: DelegationGrant,
    scopes: Sequence[str] | None = None,
    audience: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> DelegationGrant:
    """Less than before: fewer scopes, fewer audiences, an earlier end. What rests on it has no more than that."""
    refuse_agent(actor)
    found = _living(actor, delegation)
    former = {"scopes": found.scopes, "audience": found.audience, "expires_at": found.expires_at}
    if scopes is not None:
        words = _checked_scopes(scopes)
        _refuse_wider(words, found.scopes)
        found.scopes = words
    if audience is not None:
        names = _checked_audience(audience)
        if wider := sorted(set(names) - set(found.audience)):
            raise InvalidError(f"This was not given before: {', '.join(wider)}. Give a new delegation.", "audience")
        found.audience = names
    if expires_at is not None:
        if not database_now() < expires_at <= found.expires_at:
            raise InvalidError("The end can only come nearer. To end it now, revoke it.", "expires_at")
        found.expires_at = expires_at
    found.save(update_fields=["scopes", "audience", "expires_at"])
    record(_about(actor, "delegation.narrow", found, former=former))
    return found


@transaction.atomic
def revoke_delegation(*, actor: Actor, delegation: DelegationGrant, reason: str = "") -> DelegationGrant:
    """It counts no longer, nor does what rests on it; tokens that were made from it are refused where they are asked
    after."""
    refuse_agent(actor)
    found = _living(actor, delegation)
    found.revoked_at = database_now()
    found.save(update_fields=["revoked_at"])
    record(_about(actor, "delegation.revoke", found, checked_optional(reason, 300, "reason")))
    return found


def _locked(delegation: DelegationGrant) -> DelegationGrant:
    rows = DelegationGrant.objects.select_for_update(of=("self",)).select_related("giver", "receiver")
    return rows.get(pk=delegation.pk)


def _living(actor: Actor, delegation: DelegationGrant) -> DelegationGrant:
    found = _locked(delegation)
    organisation = organisation_of(actor)
    if found.person_id != actor.principal and Permission.GRANT_MANAGE not in permissions_on(actor, organisation):
        message = "Only the person who gave it, or whoever manages grants, can change a delegation."
        raise LackingError(message, {Permission.GRANT_MANAGE})
    if found.revoked_at is not None:
        raise ConflictError("This delegation is revoked already.")
    return found


def _check_parent(
    actor: Actor, parent: DelegationGrant, words: Sequence[str], names: Sequence[str], end: datetime, now: datetime
) -> None:
    if parent.person_id != actor.principal:
        raise InvalidError("Only the person whose power it is can let an agent pass it on.", "parent")
    line = line_of(parent)
    if len(line) >= DEEPEST:
        raise InvalidError(f"Delegations rest on one another {DEEPEST} deep at most.", "parent")
    if not all(is_live(one, now) for one in line):
        raise InvalidError("The delegation above is over: give a new one.", "parent")
    _refuse_wider(words, parent.scopes)
    if wider := sorted(set(names) - set(parent.audience)):
        raise InvalidError(f"The delegation above does not reach {', '.join(wider)}.", "audience")
    if end > parent.expires_at:
        raise InvalidError("The delegation above ends earlier: choose its end, or an earlier one.", "expires_at")


def _check_receiver(receiver: Principal, giver: UUID, organisation: UUID) -> None:
    if receiver.organisation_id != organisation:
        raise InvalidError("The agent belongs to another organisation.", "receiver")
    if receiver.kind != PrincipalKind.AGENT:
        raise InvalidError(f"{receiver.name} is no agent: people and services act in their own name.", "receiver")
    if receiver.pk == giver:
        raise InvalidError("An agent cannot pass a delegation on to itself.", "receiver")


def _check_own(actor: Actor, receiver: Principal, words: Sequence[str]) -> None:
    # An agent's id is also that of its target.
    own = link_of_holder(actor, receiver.pk)
    if lacking := [word for word in words if not covers(own.rights, word)]:
        message = f"You may not do this yourself with {receiver.name}: {', '.join(lacking)}."
        # Who may start an agent lets it use its tools and give work to others.
        missing = {Permission.RUN_START if ":" in word else word for word in lacking}
        raise LackingError(message, missing, "scopes")


def _refuse_wider(words: Sequence[str], former: Sequence[str]) -> None:
    if wider := [word for word in words if not covers(former, word)]:
        raise InvalidError(f"This was not given before: {', '.join(wider)}. A delegation only narrows.", "scopes")


def _checked_scopes(scopes: Sequence[str]) -> list[str]:
    words = sorted({one.strip() for one in scopes if one.strip()})
    known = {one.value for one in Permission}
    if not words or len(words) > MOST_WORDS:
        raise InvalidError(f"Name 1 to {MOST_WORDS} scopes, such as tool:orders.find_order.", "scopes")
    if wrong := [word for word in words if word not in known and not _SCOPE.fullmatch(word)]:
        said = "use tool:<name>, tool:<connector>.*, agent:<short name>, or a permission"
        raise InvalidError(f"No scope is called {', '.join(map(repr, wrong))[:200]}: {said}.", "scopes")
    return words


def _checked_audience(audience: Sequence[str]) -> list[str]:
    names = sorted({checked_text(one, 120, "audience") for one in audience})
    if not names or len(names) > MOST_WORDS:
        raise InvalidError(f"Name 1 to {MOST_WORDS} audiences: connectors, or remit.", "audience")
    if wrong := [name for name in names if not _AUDIENCE.fullmatch(name)]:
        raise InvalidError(f"{wrong[0]!r} is no audience: use letters, digits and . _ : / -", "audience")
    return names


def _about(actor: Actor, action: str, given: DelegationGrant, reason: str = "", **more: object) -> Entry:
    details = {
        "delegation": given.pk, "person": given.person_id, "giver": given.giver_id, "parent": given.parent_id,
        "scopes": given.scopes, "audience": given.audience, "expires_at": given.expires_at, **more,
    }  # fmt: skip
    return entry(
        actor, action, target_kind="agent", target_id=given.receiver_id, target_name=given.receiver.name,
        reason=reason or given.reason, details=details,
    )  # fmt: skip
