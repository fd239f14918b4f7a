"""Settings: one team, its name and its place."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from agents.registry.models import Agent
from agents.registry.teams import put_away_team
from console.forms import ChangeTeamForm
from foundation.access.guards import require
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.organisations.models import Team
from foundation.organisations.services import rename_team
from foundation.organisations.tree import move_team, unarchive_team
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page


class TeamPage(FormPage):
    """A team with its agents and the teams below it; whoever may, renames and moves it."""

    permission = Permission.TEAM_VIEW
    writing = Permission.TEAM_MANAGE
    place = "settings"
    template = "console/team.html"
    form = ChangeTeamForm

    def load(self, **address: Any) -> None:
        """The team, and where it could stand."""
        self._team = _team(self, address["team_id"])
        teams: PermittedQuerySet[Team] = PermittedQuerySet(Team)
        places = teams.permitted(self.actor, Permission.TEAM_MANAGE).filter(archived_at=None)
        own = places.exclude(target__lineage__contains=[self._team.id]).order_by("name")
        self._parents = {str(team.id): team for team in own[:500]}

    def context(self) -> Mapping[str, Any]:
        """What is below it."""
        agents = Agent.objects.all().permitted(self.actor, Permission.AGENT_VIEW).filter(team=self._team)
        return {
            "team": self._team,
            "agents": agents.order_by("name")[:200],
            "below": Team.objects.filter(parent=self._team).order_by("name"),
            "why_not": self.why_not(Permission.TEAM_MANAGE, self._team.target_id),
            "tab": "teams",
        }

    def initial(self) -> dict[str, Any]:
        """As it is."""
        return {"name": self._team.name, "parent": str(self._team.parent_id or "")}

    def make(self, data: Any = None) -> forms.Form:
        """With the places where it could stand."""
        form = super().make(data)
        now = {str(self._team.parent_id or ""): self._team.parent.name if self._team.parent else "The organisation"}
        choices = {**now, "": "The organisation", **{key: team.name for key, team in self._parents.items()}}
        form.fields["parent"] = forms.ChoiceField(
            choices=list(choices.items()), required=False, label="Under", help_text=form.fields["parent"].help_text
        )
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Its name, and its place if that is another one: moving needs the permission on both places."""
        team = self._team
        if values["name"] != team.name:
            team = rename_team(actor=self.actor, team=team, name=values["name"])
        if values["parent"] != str(team.parent_id or ""):
            require(self.actor, Permission.TEAM_MANAGE, team.parent_id)
            parent = self._parents.get(values["parent"])
            if parent is None:
                self.require()
            move_team(actor=self.actor, team=team, parent=parent)
        self.say(f"{team.name} is changed.")
        return _address(team)


class Archive(Act):
    """Put a team away."""

    permission = Permission.TEAM_MANAGE

    def act(self, team_id: UUID) -> str:
        """Back to the team."""
        team = put_away_team(actor=self.actor, team=_team(self, team_id), reason=self.request.POST.get("reason", ""))
        self.say(f"{team.name} is put away.")
        return _address(team)


class Unarchive(Act):
    """Take a team out of the archive."""

    permission = Permission.TEAM_MANAGE

    def act(self, team_id: UUID) -> str:
        """Back to the team."""
        team = unarchive_team(actor=self.actor, team=_team(self, team_id))
        self.say(f"{team.name} is in use again.")
        return _address(team)


def _team(page: Page, identifier: UUID) -> Team:
    teams: PermittedQuerySet[Team] = PermittedQuerySet(Team)
    return page.found(teams.select_related("parent", "target"), pk=identifier)


def _address(team: Team) -> str:
    return f"/settings/teams/{team.id}/"
