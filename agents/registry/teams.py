"""Putting away a team: only when none of its agents is alive."""

from django.db import transaction

from agents.registry.models import Agent, AgentState
from foundation.actors import Actor
from foundation.errors import InvalidError
from foundation.organisations.models import Team
from foundation.organisations.tree import archive_team


@transaction.atomic
def put_away_team(*, actor: Actor, team: Team, reason: str = "") -> Team:
    """Archive a team. Its agents, and those of teams below it, must be retired first."""
    found = archive_team(actor=actor, team=team, reason=reason)
    below = Agent.objects.filter(organisation_id=team.organisation_id, target__lineage__contains=[team.id])
    living = below.exclude(state=AgentState.RETIRED).first()
    if living is not None:
        raise InvalidError(f"The agent {living.name} is alive below {found.name}: retire it first.")
    return found
