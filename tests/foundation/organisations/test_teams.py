"""Organisations and their teams."""

from typing import Any

import pytest
from django.db import transaction

from foundation.access.models import permissions_on
from foundation.actors import Actor, ActorKind, shell_actor
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Organisation, Team
from foundation.organisations.services import DEEPEST, create_organisation, create_team, rename_team
from foundation.tenancy.context import tenant


@pytest.fixture
def organisation(database: Any) -> Organisation:
    """A new one."""
    with transaction.atomic():
        return create_organisation(actor=shell_actor(), slug=f"org-{uuid7()}", name="Acme")


def test_slug_belongs_to_one_organisation(organisation: Organisation) -> None:
    """Although nobody can see the other one."""
    with pytest.raises(ConflictError, match="already"):
        create_organisation(actor=shell_actor(), slug=organisation.slug, name="Copy")


@pytest.mark.parametrize(("changes", "field"), [({"slug": "No Spaces"}, "slug"), ({"slug": "-a"}, "slug"),
                                                ({"slug": "a" * 61}, "slug"), ({"name": ""}, "name"),
                                                ({"currency": "euro"}, "currency")])  # fmt: skip
def test_bad_input_is_refused_at_its_field(database: Any, changes: dict[str, str], field: str) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidError) as error:
        create_organisation(actor=shell_actor(), **({"slug": "fine", "name": "Fine", "currency": "EUR"} | changes))
    assert error.value.field == field


def test_lineage_runs_up_to_the_organisation(organisation: Organisation) -> None:
    """Nearest first, itself included."""
    shell = shell_actor(organisation.id)
    with tenant(organisation.id):
        upper = create_team(actor=shell, organisation=organisation, slug="upper", name="Upper")
        lower = create_team(actor=shell, organisation=organisation, slug="lower", name="Lower", parent=upper)
        assert GrantTarget.objects.get(pk=lower.id).lineage == [lower.id, upper.id, organisation.id]
        with pytest.raises(ConflictError, match="already"):
            create_team(actor=shell, organisation=organisation, slug="lower", name="Again")


def test_teams_do_not_nest_for_ever(organisation: Organisation) -> None:
    """A lineage stays short."""
    shell, parent = shell_actor(organisation.id), None
    with tenant(organisation.id):
        for level in range(DEEPEST):
            parent = create_team(actor=shell, organisation=organisation, slug=f"t-{level}", name="T", parent=parent)
        with pytest.raises(InvalidError, match="deep"):
            create_team(actor=shell, organisation=organisation, slug="deeper", name="T", parent=parent)


def test_rename_reaches_the_target_and_the_record(organisation: Organisation) -> None:
    """The former name is told."""
    shell = shell_actor(organisation.id)
    with tenant(organisation.id):
        team = create_team(actor=shell, organisation=organisation, slug="desk", name="Desk")
        rename_team(actor=shell, team=team, name="Front desk")
        assert Team.objects.get(pk=team.pk).slug == "desk"
        assert GrantTarget.objects.get(pk=team.pk).name == "Front desk"
        entry = AuditEntry.objects.get(action="team.rename", target_id=team.id)
    assert entry.details == {"former": "Desk"}


def test_agents_found_nothing(organisation: Organisation) -> None:
    """Neither organisations nor teams."""
    agent = Actor(kind=ActorKind.AGENT, name="a", principal=uuid7(), organisation=organisation.id)
    with tenant(organisation.id):
        with pytest.raises(InvalidError, match="agent"):
            create_team(actor=agent, organisation=organisation, slug="t", name="T")
        with pytest.raises(InvalidError, match="agent"):
            create_organisation(actor=agent, slug="mine", name="Mine")
        assert not permissions_on(agent, organisation.id)
