"""Verbs on access reviews: who has what on a target and below it, and whether it stays."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from foundation.access.guards import require
from foundation.access.models import Grant, Review, ReviewItem, Verdict
from foundation.access.roles import Permission
from foundation.access.services import administrators, withdraw
from foundation.actors import Actor
from foundation.audit.models import AuditEntry
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import ApiKey, GroupMember
from foundation.inputs import checked_optional, checked_text, refuse_agent
from foundation.instants import database_now
from foundation.organisations.models import GrantTarget

MOST = 5_000  # grants of one review
LOOKED_BACK = timedelta(days=400)  # how long ago "last used" reaches


@transaction.atomic
def open_review(*, actor: Actor, target: GrantTarget, name: str, due_at: datetime | None = None) -> Review:
    """Ask of each live grant on a target and below it whether it is still needed."""
    refuse_agent(actor)
    if actor.principal is None:
        raise InvalidError("Somebody must answer for a review: open it as a person or a service.")
    if due_at is not None and due_at <= database_now():
        raise InvalidError("The review would be due already: choose a later day.", "due_at")
    grants = list(Grant.objects.live().filter(target__lineage__contains=[target.id]).order_by("id")[: MOST + 1])
    if not grants:
        raise InvalidError(f"Nobody has been granted anything on {target.name} or below it.", "target")
    if len(grants) > MOST:
        raise InvalidError(f"More than {MOST} grants stand there: review a part of it.", "target")
    review = Review.objects.create(
        organisation_id=target.organisation_id, name=checked_text(name, 120), target=target,
        opened_by_id=actor.principal, due_at=due_at,
    )  # fmt: skip
    used = last_used({one.principal_id for one in grants})
    ReviewItem.objects.bulk_create(
        ReviewItem(
            organisation_id=one.organisation_id, review=review, grant=one.id, principal_id=one.principal_id,
            role=one.role, target_id=one.target_id, last_used_at=used.get(one.principal_id),
        )
        for one in grants
    )  # fmt: skip
    record(_about(actor, "review.open", review, items=len(grants), due_at=due_at))
    return review


@transaction.atomic
def attest(*, actor: Actor, item: ReviewItem, note: str = "") -> ReviewItem:
    """The grant is still needed. Nobody says so of their own, but who administers alone."""
    found = _decidable(actor, item)
    if not Grant.objects.live().filter(pk=found.grant).exists():
        return _decide(actor, found, Verdict.GONE, "It had ended already.")
    return _decide(actor, found, Verdict.ATTESTED, note)


@transaction.atomic
def revoke(*, actor: Actor, item: ReviewItem, note: str = "") -> ReviewItem:
    """The grant is withdrawn at once."""
    found = _decidable(actor, item)
    grant = Grant.objects.filter(pk=found.grant).first()
    if grant is None:
        return _decide(actor, found, Verdict.GONE, "It had ended already.")
    withdraw(actor=actor, grant=grant)
    return _decide(actor, found, Verdict.REVOKED, note)


@transaction.atomic
def close_review(*, actor: Actor, review: Review) -> Review:
    """The end of a review: nothing in it is open any more. What ended by itself meanwhile is marked so."""
    refuse_agent(actor)
    found = _locked(review)
    left = found.items.filter(verdict=Verdict.OPEN)
    if still := left.filter(grant__in=Grant.objects.live().values("pk")).count():
        raise ConflictError(f"{still} grant{'s are' if still > 1 else ' is'} still open: attest or revoke each first.")
    left.update(verdict=Verdict.GONE, decided_at=Now())
    found.closed_at = database_now()
    found.save(update_fields=["closed_at"])
    counted = {verdict: found.items.filter(verdict=verdict).count() for verdict in Verdict.values}
    record(_about(actor, "review.close", found, **counted))
    return found


def last_used(principals: Iterable[UUID]) -> dict[UUID, datetime]:
    """When each was last seen to act, by a key or by the record; of a group, when its last member was."""
    asked = set(principals)
    seats = list(GroupMember.objects.filter(group_id__in=asked).values_list("group_id", "member_id"))
    everybody = asked | {member for _, member in seats}
    keys = ApiKey.objects.filter(principal_id__in=everybody, last_used_at__isnull=False).values_list("principal_id")
    acts = AuditEntry.objects.filter(actor_id__in=everybody, at__gte=database_now() - LOOKED_BACK).order_by()
    found: dict[UUID, datetime] = {}
    for rows in (keys.annotate(at=Max("last_used_at")), acts.values_list("actor_id").annotate(last=Max("at"))):
        for principal, at in rows:
            found[principal] = max(at, found.get(principal, at))
    for group, member in seats:
        if member in found:
            found[group] = max(found[member], found.get(group, found[member]))
    return found


def _locked(review: Review) -> Review:
    found = Review.objects.select_for_update(no_key=True).get(pk=review.pk)
    if found.closed_at is not None:
        raise ConflictError(f"The review {found.name} is closed.")
    return found


def _decidable(actor: Actor, item: ReviewItem) -> ReviewItem:
    refuse_agent(actor)
    _locked(item.review)
    found = ReviewItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    require(actor, Permission.GRANT_MANAGE, found.target_id)
    if found.verdict != Verdict.OPEN:
        raise ConflictError(f"This grant is {found.verdict} already.")
    own = {found.principal_id, *GroupMember.objects.filter(group=found.principal).values_list("member_id", flat=True)}
    administer = administrators(found.organisation_id)
    if actor.principal in own and administer.exclude(principal=actor.principal).exists():
        raise InvalidError("This is your own access: somebody else decides on it.")
    return found


def _decide(actor: Actor, item: ReviewItem, verdict: Verdict, note: str) -> ReviewItem:
    item.verdict, item.note = verdict, checked_optional(note, 300, "note")
    item.decided_by_id, item.decided_at = actor.principal, database_now()
    item.save(update_fields=["verdict", "note", "decided_by", "decided_at"])
    record(
        _about(
            actor, f"review.{verdict}", item.review, item=item.id, grant=item.grant, principal=item.principal_id,
            role=item.role, on=item.target_id, note=item.note,
        )
    )  # fmt: skip
    return item


def _about(actor: Actor, action: str, review: Review, **details: object) -> Entry:
    return entry(actor, action, target_kind="review", target_id=review.id, target_name=review.name, details=details)
