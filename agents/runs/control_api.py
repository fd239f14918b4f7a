"""REST endpoints that steer runs, and hold two of them side by side; mixed into those of runs."""

from typing import Any

from rest_framework import serializers

from agents.registry.models import AgentVersion
from agents.runs.control import fork_run, pause_run, replay_run, resume_run, retry_run
from agents.runs.models import Run
from agents.runs.shapes import RunShape, StepShape, WholeRunShape
from agents.runs.traces import Comparison, compare, trace_hash
from foundation.access.roles import Permission
from foundation.api.operations import verb
from foundation.api.serializers import Body, Reason
from foundation.api.viewsets import Endpoints
from foundation.errors import InvalidError

_LARGEST = 2**31 - 1


class VersionBody(Body):
    """`version` is the number of another version of the same agent."""

    version = serializers.IntegerField(min_value=1, max_value=_LARGEST, allow_null=True, default=None)


class Fork(VersionBody):
    """Shares the journal up to and with `step`; 0 is the beginning, where alone another `input` may be given."""

    step = serializers.IntegerField(min_value=0, max_value=_LARGEST)
    input = serializers.JSONField(allow_null=True, default=None)

    def validate_input(self, value: Any) -> str | dict[str, Any] | None:
        """Text that says something, or an object."""
        if value is None or isinstance(value, dict) or (isinstance(value, str) and value.strip()):
            return value
        raise serializers.ValidationError("Give text, or an object.")


class Retry(Reason):
    """The first step that is done again."""

    step = serializers.IntegerField(min_value=1, max_value=_LARGEST)


class Replay(VersionBody):
    """Without a version the model's answers are played too; with one, its model is called and paid."""


class Trace(serializers.Serializer[Any]):
    """`hash` is SHA-256 over the canonical JSON of what the run did, without ids, times, costs and attempts."""

    hash = serializers.CharField()


class TotalsShape(serializers.Serializer[Any]):
    """A whole run in numbers; money in micro-units."""

    steps = serializers.IntegerField()
    cost = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)


class PairShape(serializers.Serializer[Any]):
    """Two steps that stand for the same, or one without a counterpart; `differs` names what is not the same."""

    one = StepShape(allow_null=True)
    other = StepShape(allow_null=True)
    differs = serializers.ListField(child=serializers.CharField())


class ComparisonShape(serializers.Serializer[Comparison]):
    """Two runs side by side. `first_difference` counts the pairs from 0; costs and times are no difference of it."""

    one = RunShape()
    other = RunShape()
    is_same = serializers.BooleanField()
    hashes = serializers.ListField(child=serializers.CharField())
    first_difference = serializers.IntegerField(allow_null=True)
    totals = TotalsShape(many=True)
    pairs = PairShape(many=True)


class ControlEndpoints(Endpoints):
    """Pause and resume; fork, retry and replay, which each make another run; traces and comparisons."""

    @verb("post", "pause", "Pause a run", Permission.RUN_CONTROL, body=Reason, answer=WholeRunShape)
    def pause(self, values: Any) -> Run:
        """Before its next act, with all that it has delegated. What it waits for may still come; its time runs on."""
        pause_run(actor=self.actor, run=self.get_object(), reason=values["reason"])
        return self._now()

    @verb("post", "resume", "Resume a run", Permission.RUN_CONTROL, answer=WholeRunShape)
    def resume(self, _values: Any) -> Run:
        """With all that it has delegated."""
        resume_run(actor=self.actor, run=self.get_object())
        return self._now()

    @verb("post", "fork", "Fork a run", Permission.RUN_CONTROL, body=Fork, answer=WholeRunShape, status=201)
    def fork(self, values: Any) -> Run:
        """Another run that shares its journal up to a step. Nothing shared is done again; all that follows is."""
        run: Run = self.get_object()
        return fork_run(actor=self.actor, run=run, step=values["step"], input=values["input"],
                        version=_version(run, values["version"]))  # fmt: skip

    @verb("post", "retry", "Retry a run from a step", Permission.RUN_CONTROL, body=Retry, answer=WholeRunShape,
          status=201)  # fmt: skip
    def retry(self, values: Any) -> Run:
        """Another run that goes on just before a step of one that ended without success."""
        return retry_run(actor=self.actor, run=self.get_object(), step=values["step"], reason=values["reason"])

    @verb("post", "replay", "Replay a run", Permission.RUN_CONTROL, body=Replay, answer=WholeRunShape, status=201)
    def replay(self, values: Any) -> Run:
        """Another run that is given what this one was given. Nothing leaves, but for another version's model calls."""
        run: Run = self.get_object()
        return replay_run(actor=self.actor, run=run, version=_version(run, values["version"]))

    @verb("get", "trace", "Show the trace hash of a run", answer=Trace)
    def trace(self, _values: Any) -> dict[str, str]:
        """Two runs that did the same have the same."""
        return {"hash": trace_hash(self.get_object())}

    @verb("get", "compare/(?P<other>[^/]+)", "Compare two runs", answer=ComparisonShape)
    def compare(self, _values: Any, other: str) -> Comparison:
        """Step by step."""
        return compare(self.get_object(), self.find(self.rows, other))

    def _now(self) -> Run:
        found: Run = self.get_object()
        return found


def _version(run: Run, number: int | None) -> AgentVersion | None:
    if number is None:
        return None
    found = AgentVersion.objects.filter(agent_id=run.agent_id, number=number).first()
    if found is None:
        raise InvalidError(f"{run.agent.name} has no version {number}.", field="version")
    return found
