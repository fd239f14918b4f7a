"""Verbs on the tree of teams: moving a part of it, and putting a part away."""

from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import checked_optional, refuse_agent
from foundation.organisations.models import GrantTarget, Organisation, TargetKind, Team
from foundation.organisations.services import DEEPEST

# Everything below keeps its own way up to the team, and goes on with the new one.
_MOVE = """
UPDATE organisations_granttarget SET lineage = lineage[1:array_position(lineage, %(team)s::uuid)] || %(above)s::uuid[]
WHERE organisation_id = %(organisation)s AND lineage @> ARRAY[%(team)s::uuid]
"""


@transaction.atomic
def move_team(*, actor: Actor, team: Team, parent: Team | None, reason: str = "") -> Team:
    """Under another team, or directly under the organisation, with all that is below it.

    What is granted above its new place counts for it from now on, and what was granted above the former one no longer.
    Whoever lets somebody do this answers for that: it needs `team.manage` on the team and on both places.
    """
    refuse_agent(actor)
    reason = checked_optional(reason, 300, "reason")
    found = _locked(team)
    if parent is not None and parent.organisation_id != found.organisation_id:
        raise InvalidError("The team above belongs to another organisation.", "parent")
    if (parent.id if parent else None) == found.parent_id:
        raise ConflictError(f"{found.name} is there already.")
    above = GrantTarget.lineage_under(parent, found.organisation_id)
    if parent is not None and Team.objects.filter(pk__in=above, archived_at__isnull=False).exists():
        raise InvalidError(f"{parent.name} is archived: choose another team.", "parent")
    _refuse_place(found, above)
    former = found.parent.slug if found.parent else None
    found.parent = parent
    found.save(update_fields=["parent"])
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"team": found.id, "above": above, "organisation": found.organisation_id})
        moved = cursor.rowcount
    record(
        _about(actor, "team.move", found, reason, former=former, parent=parent.slug if parent else None, moved=moved)
    )
    return found


@transaction.atomic
def archive_team(*, actor: Actor, team: Team, reason: str = "") -> Team:
    """It is kept and can be read, but nothing new comes below it."""
    refuse_agent(actor)
    found = _locked(team)
    if found.archived_at is not None:
        raise ConflictError(f"{found.name} is archived already.")
    below = GrantTarget.objects.filter(lineage__contains=[found.id]).exclude(pk=found.target_id)
    living = Team.objects.filter(pk__in=below.filter(kind=TargetKind.TEAM).values("id"), archived_at=None).first()
    if living is not None:
        raise InvalidError(f"The team {living.name} is below {found.name}: archive or move it first.")
    found.archived_at = Now()
    found.save(update_fields=["archived_at"])
    found.refresh_from_db(fields=["archived_at"])
    record(_about(actor, "team.archive", found, checked_optional(reason, 300, "reason")))
    return found


@transaction.atomic
def unarchive_team(*, actor: Actor, team: Team) -> Team:
    """It is in use again; the team above it must be, too."""
    refuse_agent(actor)
    found = _locked(team)
    if found.archived_at is None:
        raise ConflictError(f"{found.name} is not archived.")
    if found.parent is not None and found.parent.archived_at is not None:
        raise InvalidError(f"{found.parent.name}, the team above it, is archived: take that out first.")
    found.archived_at = None
    found.save(update_fields=["archived_at"])
    record(_about(actor, "team.unarchive", found, ""))
    return found


def _locked(team: Team) -> Team:
    # One change of the tree at a time: two moves could otherwise make a ring.
    Organisation.objects.select_for_update().get(pk=team.organisation_id)
    return Team.objects.select_related("parent").get(pk=team.pk)


def _refuse_place(team: Team, above: list[UUID]) -> None:
    if team.id in above:
        raise InvalidError(f"{team.name} cannot stand under itself: choose a team outside of it.", "parent")
    below = GrantTarget.objects.filter(lineage__contains=[team.id], kind=TargetKind.TEAM)
    own = len(GrantTarget.objects.values_list("lineage", flat=True).get(pk=team.target_id))
    levels = max(len(lineage) for lineage in below.values_list("lineage", flat=True)) - own + 1
    if len(above) + levels - 1 > DEEPEST:
        raise InvalidError(f"Teams nest {DEEPEST} deep at most: put it under a higher one.", "parent")


def _about(actor: Actor, action: str, team: Team, reason: str, **details: object) -> Entry:
    return entry(
        actor, action, target_kind="team", target_id=team.id, target_name=team.name, reason=reason, details=details
    )
