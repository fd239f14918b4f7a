"""REST endpoints of schedules, and their parts that those of triggers share."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from agents.registry.models import Agent
from agents.runs.models import Run
from agents.runs.shapes import AgentName, RunShape
from agents.schedules.models import CatchUp, Firing, Overlap, Schedule, ScheduleKind
from agents.schedules.moments import upcoming
from agents.schedules.plans import Plan
from agents.schedules.services import (
    change_schedule,
    create_schedule,
    delete_schedule,
    disable_schedule,
    enable_schedule,
    run_now,
)
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Reason, Shape
from foundation.api.viewsets import Read
from foundation.identity.models import Principal
from foundation.instants import database_now

NEXT_MOMENTS = 10


class OwnerName(Shape):
    """In whose name runs start."""

    class Meta:
        model = Principal
        fields = ["id", "name", "kind", "state"]


class ScheduleShape(Shape):
    """`expression`: a cron line in `time_zone`, or an interval in seconds. `problem`: why the last moment failed."""

    agent = AgentName()
    owner = OwnerName()

    class Meta:
        model = Schedule
        fields = ["id", "name", "agent", "owner", "kind", "expression", "time_zone", "starts_at", "ends_at", "input",
                  "catch_up", "overlap", "enabled", "next_at", "problem", "created_at"]  # fmt: skip


class FiringShape(Shape):
    """One moment, and what became of it."""

    class Meta:
        model = Firing
        fields = ["id", "due_at", "state", "run", "reason", "created_at"]


class MomentsShape(serializers.Serializer[Any]):
    """The next moments, in UTC, as if it were enabled."""

    moments = serializers.ListField(child=serializers.DateTimeField())


class _Chosen(Body):
    time_zone = serializers.CharField(max_length=60, required=False)
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)
    catch_up = serializers.ChoiceField(choices=CatchUp.choices, required=False)
    overlap = serializers.ChoiceField(choices=Overlap.choices, required=False)


class CreateSchedule(_Chosen):
    """`agent` by id or slug; `kind` cron, interval or once; `input` is text, or an object. It runs in your name."""

    agent = serializers.CharField()
    name = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(choices=ScheduleKind.choices)
    expression = serializers.CharField(max_length=120, allow_blank=True, default="")
    input = serializers.JSONField()
    enabled = serializers.BooleanField(default=True)


class ChangeSchedule(_Chosen):
    """What is left out stays. From then on it runs in your name."""

    name = serializers.CharField(max_length=120, required=False)
    kind = serializers.ChoiceField(choices=ScheduleKind.choices, required=False)
    expression = serializers.CharField(max_length=120, allow_blank=True, required=False)
    input = serializers.JSONField(required=False)


class ScheduleEndpoints(Read):
    """What starts runs by the clock."""

    rows = Schedule.objects.select_related("agent", "owner")
    shape = ScheduleShape
    permission = Permission.RUN_VIEW
    filterset_fields = ["agent", "owner", "enabled", "kind"]

    @operation("Create a schedule", Permission.AGENT_MANAGE, body=CreateSchedule, status=201)
    def create(self, values: Any) -> Schedule:
        """It starts runs in your name, with the rights that you hold at each moment."""
        agent = self.find(Agent.objects.all(), values.pop("agent"))
        enabled = values.pop("enabled")
        return create_schedule(actor=self.actor, agent=agent, plan=Plan(**values), enabled=enabled)

    @operation("Change a schedule", Permission.AGENT_MANAGE, body=ChangeSchedule)
    def partial_update(self, values: Any) -> Schedule:
        """Moments that passed before are not caught up."""
        return change_schedule(actor=self.actor, schedule=self.get_object(), changes=values)

    @operation("Delete a schedule", Permission.AGENT_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """With its list of firings; the runs stay."""
        delete_schedule(actor=self.actor, schedule=self.get_object())

    @verb("post", "enable", "Enable a schedule", Permission.AGENT_MANAGE)
    def enable(self, _values: Any) -> Schedule:
        """It goes on with its next moment."""
        return enable_schedule(actor=self.actor, schedule=self.get_object())

    @verb("post", "disable", "Disable a schedule", Permission.AGENT_MANAGE, body=Reason)
    def disable(self, values: Any) -> Schedule:
        """What is queued is left out; runs that have begun go on."""
        return disable_schedule(actor=self.actor, schedule=self.get_object(), reason=values["reason"])

    @verb("post", "run-now", "Start a run of a schedule now", Permission.RUN_START, answer=RunShape, status=201)
    def run_now(self, _values: Any) -> Run:
        """In your own name, with the schedule's input."""
        return run_now(actor=self.actor, schedule=self.get_object())

    @verb("get", "upcoming", "Show the next moments of a schedule", answer=MomentsShape)
    def upcoming(self, _values: Any) -> Response:
        """Ten, or as many as are left."""
        return Response({"moments": upcoming(self.get_object(), database_now(), NEXT_MOMENTS)})

    @verb("get", "firings", "List what became of the moments of a schedule", answer=FiringShape, many=True)
    def firings(self, _values: Any) -> Any:
        """The newest first."""
        return Firing.objects.filter(schedule=self.get_object())
