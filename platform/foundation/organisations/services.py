"""Verbs on organisations and teams."""

from uuid import UUID

from django.db import IntegrityError, transaction

from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7
from foundation.inputs import checked_currency, checked_slug, checked_text, refuse_agent
from foundation.organisations.models import GrantTarget, Organisation, TargetKind, Team
from foundation.tenancy.context import enter

DEEPEST = 8  # teams above one another


@transaction.atomic
def create_organisation(*, actor: Actor, slug: str, name: str, currency: str = "EUR") -> Organisation:
    """A new tenant with its root target. The transaction sees the new organisation afterwards."""
    refuse_agent(actor)
    slug, name, currency = checked_slug(slug), checked_text(name, 120), checked_currency(currency)
    identifier = uuid7()
    enter(identifier)
    try:
        with transaction.atomic():
            organisation = Organisation.objects.create(id=identifier, slug=slug, name=name, currency=currency)
    except IntegrityError as error:
        raise ConflictError(f"There is an organisation {slug} already: choose another short name.") from error
    GrantTarget.objects.create(
        id=identifier, organisation=organisation, kind=TargetKind.ORGANISATION, name=name, lineage=[identifier]
    )
    details = {"slug": slug, "currency": currency}
    record(
        entry(
            actor.within(identifier),
            "organisation.create",
            target_kind="organisation",
            target_id=identifier,
            target_name=name,
            details=details,
        )
    )
    return organisation


@transaction.atomic
def create_team(*, actor: Actor, organisation: Organisation, slug: str, name: str, parent: Team | None = None) -> Team:
    """A new team, under another one or directly under the organisation."""
    refuse_agent(actor)
    slug, name = checked_slug(slug), checked_text(name, 120)
    if parent is not None and parent.organisation_id != organisation.id:
        raise InvalidError("The team above belongs to another organisation.", "parent")
    Organisation.objects.select_for_update().get(pk=organisation.pk)  # the tree stays as it is meanwhile
    above = GrantTarget.lineage_under(parent, organisation.id)
    if len(above) > DEEPEST:
        raise InvalidError(f"Teams nest {DEEPEST} deep at most: put it under a higher one.", "parent")
    if Team.objects.filter(organisation=organisation, slug=slug).exists():
        raise ConflictError(f"There is a team {slug} already: choose another short name.")
    identifier = uuid7()
    target = add_target(
        organisation=organisation.id, identifier=identifier, kind=TargetKind.TEAM, name=name, above=above
    )
    team = Team.objects.create(
        id=identifier, organisation=organisation, slug=slug, name=name, parent=parent, target=target
    )
    details = {"slug": slug, "parent": parent.slug if parent else None}
    record(entry(actor, "team.create", target_kind="team", target_id=identifier, target_name=name, details=details))
    return team


@transaction.atomic
def rename_team(*, actor: Actor, team: Team, name: str) -> Team:
    """Another name; the slug and the address stay."""
    refuse_agent(actor)
    former, team.name = team.name, checked_text(name, 120)
    team.save(update_fields=["name"])
    GrantTarget.objects.filter(pk=team.target_id).update(name=team.name)
    details = {"former": former}
    record(entry(actor, "team.rename", target_kind="team", target_id=team.id, target_name=team.name, details=details))
    return team


def add_target(*, organisation: UUID, identifier: UUID, kind: TargetKind, name: str, above: list[UUID]) -> GrantTarget:
    """The node of a new thing, under all that is in `above`; part of that thing's verb, which records it."""
    archived = Team.objects.filter(pk__in=above, archived_at__isnull=False).first()
    if archived is not None:
        raise InvalidError(f"The team {archived.name} is archived: take it out of the archive first, or use another.")
    return GrantTarget.objects.create(
        id=identifier, organisation_id=organisation, kind=kind, name=name, lineage=[identifier, *above]
    )
