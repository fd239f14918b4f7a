"""Settings: teams."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from console.forms import TeamForm
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.organisations.models import Team
from foundation.organisations.services import create_team
from foundation.web.forms import FormPage


class Teams(FormPage):
    """People and the agents that they own; teams nest."""

    permission = Permission.TEAM_VIEW
    writing = Permission.TEAM_MANAGE
    place = "settings"
    template = "console/teams.html"
    form = TeamForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The teams, and those that another may be put under."""
        teams: PermittedQuerySet[Team] = PermittedQuerySet(Team)
        seen = teams.permitted(self.actor, Permission.TEAM_VIEW).select_related("target").order_by("name")
        self._teams = as_tree(list(seen))
        below = teams.permitted(self.actor, Permission.TEAM_MANAGE).filter(archived_at=None)
        self._parents = {str(team.id): team for team in below.select_related("target").order_by("name")}

    def context(self) -> Mapping[str, Any]:
        """The teams."""
        return {"teams": self._teams, "why_not": self.why_not(Permission.TEAM_MANAGE), "tab": "teams"}

    def make(self, data: Any = None) -> forms.Form:
        """With the teams to put it under."""
        form = super().make(data)
        choices = [("", "The organisation"), *((key, team.name) for key, team in self._parents.items())]
        form.fields["parent"] = forms.ChoiceField(choices=choices, required=False, label="Under")
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Where it hangs decides who may."""
        parent = self._parents.get(values["parent"])
        if parent is None:
            self.require()
        organisation = self.organisation
        create_team(
            actor=self.actor, organisation=organisation, slug=values["slug"], name=values["name"], parent=parent
        )
        return "/settings/teams/"


def as_tree(teams: list[Team]) -> list[tuple[int, Team]]:
    """Each team below the one that it stands under, with its depth; one whose upper team is not seen is at the top."""
    seen = {team.id: team for team in teams}
    below: dict[UUID | None, list[Team]] = {}
    for team in teams:
        below.setdefault(team.parent_id if team.parent_id in seen else None, []).append(team)
    found: list[tuple[int, Team]] = []
    waiting = [(0, team) for team in reversed(below.get(None, []))]
    while waiting:
        depth, team = waiting.pop()
        found.append((depth, team))
        waiting += [(depth + 1, one) for one in reversed(below.get(team.id, []))]
    return found
