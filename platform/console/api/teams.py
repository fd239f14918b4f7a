"""Teams, and how they nest."""

from typing import Any

from rest_framework import serializers

from agents.registry.teams import put_away_team
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Reason, Shape
from foundation.api.viewsets import Read
from foundation.organisations.models import Team
from foundation.organisations.services import create_team, rename_team
from foundation.organisations.tree import move_team, unarchive_team


class TeamShape(Shape):
    """People and the agents that they own. An archived one gets nothing new."""

    class Meta:
        model = Team
        fields = ["id", "slug", "name", "parent", "archived_at", "created_at"]


class CreateTeam(Body):
    """A new team, under `parent` (id or slug) or directly under the organisation."""

    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    parent = serializers.CharField(required=False, allow_null=True, default=None)  # type: ignore[assignment]  # a field


class RenameTeam(Body):
    """Another name; the slug stays."""

    name = serializers.CharField(max_length=120)


class MoveTeam(Body):
    """`parent` (id or slug) is the team to put it under; null puts it directly under the organisation."""

    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # a field
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class TeamEndpoints(Read):
    """Teams nest; grants and budgets hang on them."""

    rows = PermittedQuerySet(Team)
    shape = TeamShape
    permission = Permission.TEAM_VIEW

    @operation("Create a team", Permission.TEAM_MANAGE, body=CreateTeam, status=201)
    def create(self, values: Any) -> Team:
        """Where it hangs decides who may."""
        parent = self.find(self.rows, values.pop("parent")) if values["parent"] else values.pop("parent")
        if parent is None:
            self.require()
        return create_team(actor=self.actor, organisation=self.organisation, parent=parent, **values)

    @operation("Rename a team", Permission.TEAM_MANAGE, body=RenameTeam)
    def partial_update(self, values: Any) -> Team:
        """Another name."""
        return rename_team(actor=self.actor, team=self.get_object(), name=values["name"])

    @verb("post", "move", "Move a team, with all that is below it", Permission.TEAM_MANAGE, body=MoveTeam)
    def move(self, values: Any) -> Team:
        """What is granted above its new place counts for it from now on. It needs the permission on both places."""
        team = self.get_object()
        self.require(team.parent_id)
        parent = self.find(self.rows, values["parent"]) if values["parent"] else None
        if parent is None:
            self.require()
        return move_team(actor=self.actor, team=team, parent=parent, reason=values["reason"])

    @verb("post", "archive", "Archive a team", Permission.TEAM_MANAGE, body=Reason)
    def archive(self, values: Any) -> Team:
        """Nothing new comes below it. Its agents must be retired, and the teams below it archived, before."""
        return put_away_team(actor=self.actor, team=self.get_object(), reason=values["reason"])

    @verb("post", "unarchive", "Take a team out of the archive", Permission.TEAM_MANAGE)
    def unarchive(self, _values: Any) -> Team:
        """It is in use again."""
        return unarchive_team(actor=self.actor, team=self.get_object())
