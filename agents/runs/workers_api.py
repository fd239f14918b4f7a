"""REST endpoint of the processes that do the work, and of what is queued for them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import BooleanField, Case, Count, F, Min, Q, Value, When
from django.db.models.functions import Now
from rest_framework import serializers

from agents.runs.models import Heartbeat, Run, RunState
from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.viewsets import Endpoints

SILENT_AFTER = 3  # heartbeats


class WorkerShape(serializers.Serializer[Heartbeat]):
    """A worker, or the scheduler. `slots`: how many runs it works on at a time; `alive`: heard of lately."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Heartbeat.KINDS)
    release = serializers.CharField()
    slots = serializers.IntegerField()
    busy = serializers.IntegerField()
    draining = serializers.BooleanField()
    alive = serializers.BooleanField()
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()


class QueueShape(serializers.Serializer[Any]):
    """The runs that have not ended, of those that the caller may see. `waiting`: how many wait for what."""

    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    waiting = serializers.DictField(child=serializers.IntegerField())
    oldest_queued_seconds = serializers.FloatField(allow_null=True)


class WorkforceShape(serializers.Serializer[Any]):
    """The processes, and the queue of those runs that the caller may see.

    `living`: workers that were heard of lately. Which processes there are, by name and release, is told to whoever sees
    all runs of the organisation; to others `workers` is empty.
    """

    living = serializers.IntegerField()
    workers = WorkerShape(many=True)
    queue = QueueShape()


@dataclass(frozen=True, slots=True)
class Workforce:
    """What `WorkforceShape` shows."""

    living: int
    workers: list[Heartbeat]
    queue: dict[str, Any]


class WorkerEndpoints(Endpoints):
    """Who works, and what there is to do."""

    shape = WorkforceShape
    permission = Permission.RUN_VIEW

    @operation("Show the workers and the queue")
    def show_workers(self, _values: Any) -> Workforce:
        """The processes serve all organisations; the figures are those of the runs that one sees."""
        silence = timedelta(seconds=SILENT_AFTER * max(settings.RUN_HEARTBEAT_SECONDS, 5))
        alive = Case(When(seen_at__gt=Now() - silence, then=Value(value=True)), default=Value(value=False),
                     output_field=BooleanField())  # fmt: skip
        found: list[Any] = list(Heartbeat.objects.annotate(alive=alive).order_by("kind", "name"))
        living = sum(one.kind == "worker" and one.alive for one in found)
        sees_all = Permission.RUN_VIEW in permissions_on(self.actor, self.organisation_id)
        return Workforce(living, found if sees_all else [], self._queue())

    def _queue(self) -> dict[str, Any]:
        runs = self.permitted(Run.objects.all()).order_by()
        counted = runs.filter(state__in=[RunState.QUEUED, RunState.RUNNING]).aggregate(
            queued=Count("pk", filter=Q(state=RunState.QUEUED)),
            running=Count("pk", filter=Q(state=RunState.RUNNING)),
            oldest=Now() - Min("rung_at", filter=Q(state=RunState.QUEUED)),
        )
        oldest = counted.pop("oldest")
        waits = runs.filter(state=RunState.WAITING).values_list("waits_for").annotate(count=Count("pk"))
        return {
            **counted,
            "waiting": dict(waits.order_by(F("count").desc())),
            "oldest_queued_seconds": None if oldest is None else max(0.0, oldest.total_seconds()),
        }
