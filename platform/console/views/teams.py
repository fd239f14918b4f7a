"""Settings: teams, and who holds which role where."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from console.forms import GrantForm, TeamForm
from foundation.access.guards import UnknownError
from foundation.access.models import Grant, PermittedQuerySet
from foundation.access.roles import ROLES, Permission
from foundation.access.services import grant, withdraw
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.organisations.models import Team
from foundation.organisations.services import create_team
from foundation.web.forms import FormPage
from foundation.web.pages import Act
from foundation.web.targets import covered_targets


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


class Roles(FormPage):
    """Who may do what, where; `?principal=` is chosen already."""

    permission = Permission.GRANT_VIEW
    writing = Permission.GRANT_MANAGE
    place = "settings"
    template = "console/roles.html"
    form = GrantForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The grants, and what there is to choose from."""
        grants: PermittedQuerySet[Grant] = PermittedQuerySet(Grant)
        rows = grants.permitted(self.actor, Permission.GRANT_VIEW)
        self._grants = list(rows.select_related("principal", "target").order_by("principal__name", "target__name"))
        people = Principal.objects.filter(state=PrincipalState.ACTIVE).exclude(kind=PrincipalKind.AGENT)
        self._people = {str(one.id): one for one in people.order_by("name")}
        self._targets = {str(one.id): one for one in covered_targets(self.actor, Permission.GRANT_MANAGE)}

    def context(self) -> Mapping[str, Any]:
        """The grants, and what each role holds."""
        roles = [(role, sorted(held)) for role, held in ROLES.items()]
        return {"grants": self._grants, "roles": roles, "targets": self._targets, "tab": "roles"}

    def initial(self) -> dict[str, Any]:
        """As the address says."""
        return {"principal": self.request.GET.get("principal", ""), "target": str(self.actor.organisation)}

    def make(self, data: Any = None) -> forms.Form:
        """With people and targets."""
        form = super().make(data)
        people = [(key, one.name) for key, one in self._people.items()]
        form.fields["principal"] = forms.ChoiceField(label="Who", choices=people)
        targets = [(key, f"{one.name} ({one.kind})") for key, one in self._targets.items()]
        form.fields["target"] = forms.ChoiceField(label="On", choices=targets)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the list."""
        principal, target = self._people[values["principal"]], self._targets[values["target"]]
        grant(actor=self.actor, **{**values, "principal": principal, "target": target})
        self.say(f"{principal.name} is {values['role']} on {target.name}.")
        return "/settings/roles/"


class Withdraw(Act):
    """A grant counts no longer."""

    permission = Permission.GRANT_MANAGE

    def act(self, grant_id: UUID) -> str:
        """Back to the list."""
        grants: PermittedQuerySet[Grant] = PermittedQuerySet(Grant)
        found = grants.permitted(self.actor, self.named).filter(pk=grant_id).first()
        if found is None:
            raise UnknownError("grant")
        withdraw(actor=self.actor, grant=found)
        self.say("The grant is withdrawn.")
        return "/settings/roles/"
