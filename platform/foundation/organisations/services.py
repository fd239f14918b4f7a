"""Verbs on organisations and teams."""

from uuid import UUID

from django.db import transaction

from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Organisation, TargetKind, Team
from foundation.tenancy.context import enter


@transaction.atomic
def create_organisation(*, actor: Actor, slug: str, name: str, currency: str = "EUR") -> Organisation:
    """A new tenant with its root target. The transaction sees the new organisation afterwards."""
    identifier = uuid7()
    enter(identifier)
    organisation = Organisation.objects.create(id=identifier, slug=slug, name=name, currency=currency)
    GrantTarget.objects.create(
        id=identifier, organisation=organisation, kind=TargetKind.ORGANISATION, name=name, lineage=[identifier]
    )
    record(
        entry(actor.within(identifier), "organisation.create", target_kind="organisation", target_id=identifier,
              target_name=name)
    )  # fmt: skip
    return organisation


@transaction.atomic
def create_team(
    *, actor: Actor, organisation: Organisation, slug: str, name: str, parent: Team | None = None
) -> Team:
    """A new team, under another one or directly under the organisation."""
    identifier = uuid7()
    above = parent.target.lineage if parent else [organisation.id]
    target = add_target(organisation.id, identifier, TargetKind.TEAM, name, above)
    team = Team.objects.create(
        id=identifier, organisation=organisation, slug=slug, name=name, parent=parent, target=target
    )
    record(entry(actor, "team.create", target_kind="team", target_id=identifier, target_name=name))
    return team


@transaction.atomic
def rename_team(*, actor: Actor, team: Team, name: str) -> Team:
    """Another name; the slug and the address stay."""
    former, team.name = team.name, name
    team.save(update_fields=["name"])
    GrantTarget.objects.filter(pk=team.target_id).update(name=name)
    record(
        entry(actor, "team.rename", target_kind="team", target_id=team.id, target_name=name,
              details={"former": former})
    )  # fmt: skip
    return team


def add_target(organisation: UUID, identifier: UUID, kind: TargetKind, name: str, above: list[UUID]) -> GrantTarget:
    """The node of a new thing; part of its verb, which records it."""
    return GrantTarget.objects.create(
        id=identifier, organisation_id=organisation, kind=kind, name=name, lineage=[identifier, *above]
    )
