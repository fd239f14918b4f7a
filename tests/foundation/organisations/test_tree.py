"""Teams move with all that is below them, and what may be done follows at once."""

from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import create_agent, retire_agent
from agents.registry.teams import put_away_team
from foundation.access.models import PermittedQuerySet, permissions_on
from foundation.access.services import grant
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.organisations.models import Configuration, GrantTarget, Team
from foundation.organisations.services import DEEPEST, create_team
from foundation.organisations.tree import archive_team, move_team, unarchive_team
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, make_organisation


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with a team."""
    return make_organisation("acme")


def make(world: World, slug: str, parent: Team | None = None) -> Team:
    """Another team."""
    return create_team(actor=world.shell, organisation=world.organisation, slug=slug, name=slug, parent=parent)


def lineage(thing: Any) -> list[Any]:
    """Its own id and those above."""
    return GrantTarget.objects.get(pk=thing.pk).lineage


def test_everything_below_moves_along_and_rights_follow_at_once(world: World) -> None:
    root = world.organisation.id
    with tenant(root):
        one, other = make(world, "one"), make(world, "other")
        middle = make(world, "middle", one)
        leaf = make(world, "leaf", middle)
        agent = create_agent(
            actor=world.shell, team=leaf, slug="a", name="A", purpose="", sponsor=world.people["viewer"]
        )
        grant(actor=world.shell, principal=world.people["stranger"], role="builder", target=other.target)
        actor = world.actor("stranger")
        agents: PermittedQuerySet[Agent] = Agent.objects.all()
        assert not agents.permitted(actor, "agent.view").exists()
        number = _configuration(world)
        move_team(actor=world.shell, team=middle, parent=other)
        assert lineage(agent) == [agent.id, leaf.id, middle.id, other.id, root]
        assert lineage(leaf) == [leaf.id, middle.id, other.id, root]
        assert lineage(one) == [one.id, root]
        assert [row.id for row in agents.permitted(actor, "agent.manage")] == [agent.id]
        assert "agent.manage" in permissions_on(actor, agent.target_id)
        assert _configuration(world) > number
        move_team(actor=world.shell, team=middle, parent=None)
        assert lineage(agent) == [agent.id, leaf.id, middle.id, root]
        assert not agents.permitted(actor, "agent.view").exists()
        assert AuditEntry.objects.filter(action="team.move").count() == 2


def _configuration(world: World) -> int:
    return Configuration.objects.get(organisation=world.organisation).number


def test_no_rings_and_no_towers(world: World) -> None:
    with tenant(world.organisation.id):
        top = make(world, "top")
        below = make(world, "below", top)
        for place in (top, below):
            with pytest.raises(InvalidError, match="cannot stand under itself"):
                move_team(actor=world.shell, team=top, parent=place)
        with pytest.raises(ConflictError, match="there already"):
            move_team(actor=world.shell, team=below, parent=top)
        tower = make(world, "t0")
        for level in range(1, DEEPEST):
            tower = make(world, f"t{level}", tower)
        with pytest.raises(InvalidError, match="deep at most"):
            move_team(actor=world.shell, team=top, parent=tower)
        last = Team.objects.get(slug=f"t{DEEPEST - 3}")
        move_team(actor=world.shell, team=top, parent=last)
        assert len(lineage(below)) == DEEPEST + 1


def test_another_organisations_team_is_no_place(world: World) -> None:
    theirs = make_organisation("theirs")
    with tenant(world.organisation.id), pytest.raises(InvalidError, match="another organisation"):
        move_team(actor=world.shell, team=world.team, parent=theirs.team)


def test_an_archived_team_gets_nothing_new(world: World) -> None:
    with tenant(world.organisation.id):
        top = make(world, "top")
        below = make(world, "below", top)
        agent = create_agent(
            actor=world.shell, team=below, slug="a", name="A", purpose="", sponsor=world.people["viewer"]
        )
        with pytest.raises(InvalidError, match="The agent A is alive"):
            put_away_team(actor=world.shell, team=below)
        assert Team.objects.get(pk=below.pk).archived_at is None
        retire_agent(actor=world.shell, agent=agent, reason="Done.")
        with pytest.raises(InvalidError, match="The team below is below top"):
            put_away_team(actor=world.shell, team=top)
        assert put_away_team(actor=world.shell, team=below).archived_at is not None
        archive_team(actor=world.shell, team=top)
        with pytest.raises(ConflictError, match="archived already"):
            archive_team(actor=world.shell, team=top)
        with pytest.raises(InvalidError, match="is archived"):
            make(world, "more", below)
        with pytest.raises(InvalidError, match="is archived"):
            create_agent(actor=world.shell, team=top, slug="b", name="B", purpose="", sponsor=world.people["viewer"])
        with pytest.raises(InvalidError, match="is archived"):
            move_team(actor=world.shell, team=world.team, parent=below)
        with pytest.raises(InvalidError, match="take that out first"):
            unarchive_team(actor=world.shell, team=below)
        unarchive_team(actor=world.shell, team=top)
        unarchive_team(actor=world.shell, team=below)
        make(world, "more", below)
