"""How sessions, runs, steps and events go out."""

from rest_framework import serializers

from agents.registry.models import Agent
from agents.runs.body_shapes import AnswerField, BodyField, ErrorField, EventField, InputField
from agents.runs.models import Event, Run, Session, Step
from agents.runs.remit import Remit
from foundation.api.serializers import Shape
from foundation.delegation.effective import Link


class AgentName(Shape):
    """Which agent."""

    class Meta:
        model = Agent
        fields = ["id", "slug", "name"]


class SessionShape(Shape):
    """The durable context of one agent with one counterpart; `label` is the join of all that it has seen.

    `version` is the one that it is pinned to; `turns` counts its runs.
    """

    agent = AgentName()
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Session
        fields = ["id", "agent", "version", "title", "counterpart", "label", "turns", "state", "created_at",
                  "closed_at"]  # fmt: skip


class RunShape(Shape):
    """The work caused by one input. Money in micro-units of `currency`; `rehearsed`: a played model answered.

    `former` is the run that it was made from, as `relation` says, up to its step `former_step`; `stubs_tools`: its
    tools answer with what that run recorded.
    """

    agent = AgentName()
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Run
        fields = [
            "id", "organisation", "title", "agent", "version", "session", "parent", "root_id", "requester", "source",
            "submission", "state", "failure", "waits_for", "waits_on", "cancel_requested", "pause_requested", "former",
            "relation", "former_step", "stubs_tools", "steps_written", "events_written", "deadline", "budget",
            "currency", "cost", "input_tokens", "output_tokens", "rehearsed", "created_at", "started_at", "ended_at",
        ]  # fmt: skip


class WholeRunShape(RunShape):
    """A run with its input and its answer, both JSON: for auditors, and for whoever started it."""

    input = InputField()
    output = AnswerField()

    class Meta(RunShape.Meta):
        fields = [*RunShape.Meta.fields, "chain", "delegation", "input", "input_label", "output"]


class LinkShape(serializers.Serializer[Link]):
    """One link of a chain: who, and what it lets through."""

    principal = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField(help_text="person, service, agent, delegation, or version: the agent's own.")
    name = serializers.CharField()
    rights = serializers.ListField(child=serializers.CharField())
    why = serializers.CharField()


class RemitShape(serializers.Serializer[Remit]):
    """What a run may do: the intersection down its chain. A right that ends with `*` is all that begin like it."""

    rights = serializers.ListField(child=serializers.CharField(), source="words")
    links = LinkShape(many=True)


class StepShape(serializers.Serializer[Step]):
    """One journaled entry. `verdict` is the gate's answer, `provenance` has a label for each argument.

    `input`, `output`, and in `error` what the tool itself said, are for auditors.
    """

    number = serializers.IntegerField()
    kind = serializers.CharField()
    state = serializers.CharField()
    attempt = serializers.IntegerField()
    name = serializers.CharField()
    call_id = serializers.CharField()
    effect = serializers.CharField()
    idempotency_key = serializers.CharField()
    digest = serializers.CharField()
    decision_id = serializers.UUIDField(allow_null=True)
    verdict = serializers.JSONField()
    input = BodyField()
    output = BodyField(allow_null=True)
    label = serializers.JSONField()  # type: ignore[assignment]  # a field
    provenance = serializers.JSONField()
    usage = serializers.JSONField()
    cost = serializers.IntegerField()
    child_id = serializers.UUIDField(allow_null=True)
    error = ErrorField(is_text=True)
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class EventShape(serializers.Serializer[Event]):
    """What is streamed about a run, numbered from 1."""

    number = serializers.IntegerField()
    kind = serializers.CharField()
    data = EventField()  # type: ignore[assignment]  # a field
    at = serializers.DateTimeField()
