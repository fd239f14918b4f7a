"""REST endpoints of triggers, and the public door at which they are called."""

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.response import Response

from agents.registry.models import Agent
from agents.runs.models import Run
from agents.runs.shapes import AgentName, RunShape
from agents.schedules.api import OwnerName
from agents.schedules.calls import answer_call, organisation_of
from agents.schedules.models import Trigger
from agents.schedules.services import (
    change_trigger,
    create_trigger,
    delete_trigger,
    disable_trigger,
    enable_trigger,
    rotate_trigger_secret,
)
from foundation.access.roles import Permission
from foundation.api.doors import Call, Door
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Reason, Shape
from foundation.api.viewsets import Read


class TriggerShape(Shape):
    """An address whose signed calls start runs: `POST /api/v1/triggers/<id>/call` (docs/schedules.md)."""

    agent = AgentName()
    owner = OwnerName()

    class Meta:
        model = Trigger
        fields = ["id", "name", "agent", "owner", "enabled", "called_at", "created_at"]


class TriggerSecretShape(TriggerShape):
    """The `secret` that signs the calls; it is shown this once."""

    secret = serializers.CharField()

    class Meta(TriggerShape.Meta):
        fields = [*TriggerShape.Meta.fields, "secret"]


class CreateTrigger(Body):
    """`agent` by id or slug. Its runs start in your name."""

    agent = serializers.CharField()
    name = serializers.CharField(max_length=120)


class ChangeTrigger(Body):
    """Another name."""

    name = serializers.CharField(max_length=120)


class TriggerEndpoints(Read):
    """What starts runs by signed calls from outside."""

    rows = Trigger.objects.select_related("agent", "owner")
    shape = TriggerShape
    permission = Permission.RUN_VIEW
    filterset_fields = ["agent", "owner", "enabled"]

    @operation("Create a trigger", Permission.AGENT_MANAGE, body=CreateTrigger, answer=TriggerSecretShape, status=201,
               shown_once=True)  # fmt: skip
    def create(self, values: Any) -> Trigger:
        """The answer holds the secret, this once."""
        agent = self.find(Agent.objects.all(), values["agent"])
        return _with_secret(*create_trigger(actor=self.actor, agent=agent, name=values["name"]))

    @operation("Change a trigger", Permission.AGENT_MANAGE, body=ChangeTrigger)
    def partial_update(self, values: Any) -> Trigger:
        """Its name."""
        return change_trigger(actor=self.actor, trigger=self.get_object(), name=values["name"])

    @operation("Delete a trigger", Permission.AGENT_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """The runs that it started stay."""
        delete_trigger(actor=self.actor, trigger=self.get_object())

    @verb("post", "enable", "Enable a trigger", Permission.AGENT_MANAGE)
    def enable(self, _values: Any) -> Trigger:
        """Its calls are answered."""
        return enable_trigger(actor=self.actor, trigger=self.get_object())

    @verb("post", "disable", "Disable a trigger", Permission.AGENT_MANAGE, body=Reason)
    def disable(self, values: Any) -> Trigger:
        """To whoever calls it, it is not there."""
        return disable_trigger(actor=self.actor, trigger=self.get_object(), reason=values["reason"])

    @verb("post", "rotate-secret", "Give a trigger another secret", Permission.AGENT_MANAGE, body=Reason,
          answer=TriggerSecretShape)  # fmt: skip
    def rotate_secret(self, values: Any) -> Trigger:
        """The former one signs nothing any more; runs start in your name from now on."""
        found = self.get_object()
        return _with_secret(*rotate_trigger_secret(actor=self.actor, trigger=found, reason=values["reason"]))

    @verb("get", "runs", "List the runs that a trigger started", answer=RunShape, many=True)
    def runs(self, _values: Any) -> Any:
        """The newest first."""
        begun = Run.objects.filter(submission__startswith=f"trigger:{self.get_object().id}:")
        return self.permitted(begun.select_related("agent", "version"))


class TriggerDoor(Door):
    """Where a trigger is called."""

    kind = "trigger"

    def organisation_of(self, identifier: UUID) -> UUID | None:
        """Whose it is."""
        return organisation_of(identifier)

    def receive(self, identifier: UUID, call: Call) -> Response:
        """The run: 201 if it is new, 200 if the same delivery had started it before."""
        run, known = answer_call(identifier, call)
        return Response({"run": run.id, "again": known}, 200 if known else 201)


def _with_secret(trigger: Trigger, secret: str) -> Trigger:
    trigger.secret = secret  # type: ignore[attr-defined]  # for this one answer
    return trigger
