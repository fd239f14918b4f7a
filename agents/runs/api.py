"""REST endpoints of runs, steps and events."""

from typing import Any

from rest_framework import serializers

from agents.registry.models import Agent
from agents.runs.body_shapes import BodyEndpoints
from agents.runs.control_api import ControlEndpoints
from agents.runs.models import Event, Run, Session, Step
from agents.runs.remit import Remit, delegation_named, remit_of
from agents.runs.services import cancel_run, resolve_unknown, start_run
from agents.runs.shapes import EventShape, RemitShape, RunShape, StepShape, WholeRunShape
from foundation.access.roles import Permission
from foundation.api.once import key_of
from foundation.api.operations import operation, verb
from foundation.api.paging import NumberPagination
from foundation.api.serializers import Body, Reason
from foundation.api.viewsets import Read
from foundation.errors import InvalidError
from foundation.instants import database_now

RESERVED_KEYS = ("schedule:", "trigger:")  # who takes one of these could take a moment, or a delivery, away


class StartRun(Body):
    """`agent` by id or slug, or a `session` by its id, whose next turn this is. `input` is text, or an object.

    An `Idempotency-Key` header starts it only once. With a `delegation` that you gave the agent the run may do
    no more than that says.
    """

    agent = serializers.CharField(required=False, default="")
    session = serializers.UUIDField(required=False, allow_null=True, default=None)
    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    delegation = serializers.UUIDField(required=False, allow_null=True, default=None)
    input = serializers.JSONField()

    def validate_input(self, value: Any) -> str | dict[str, Any]:
        """Text that says something, or an object."""
        if isinstance(value, dict) or (isinstance(value, str) and value.strip()):
            return value
        raise serializers.ValidationError("Give text, or an object.")


class ResolveUnknown(Body):
    """What really happened at a step whose outcome nobody knows. `evidence` says how you know."""

    step = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    outcome = serializers.ChoiceField(choices=[("retry", "Not done: do it"), ("done", "Done"), ("failed", "Not done")])
    evidence = serializers.CharField(max_length=2_000)


class RunEndpoints(ControlEndpoints, BodyEndpoints, Read):
    """Runs, their journal, and what people may do with them."""

    rows = Run.objects.select_related("agent", "version")
    shape = RunShape
    permission = Permission.RUN_VIEW
    filterset_fields = [
        "agent", "session", "state", "parent", "root_id", "former", "relation", "waits_for", "submission",
    ]  # fmt: skip

    def get_queryset(self) -> Any:
        """A list is read without what it does not show."""
        rows: Any = super().get_queryset()
        return rows.listed() if self.action == "list" else rows

    @operation("Show one {noun}", answer=WholeRunShape)
    def retrieve(self, _values: Any) -> Run:
        """With input and output."""
        found: Run = self.get_object()
        return found

    @operation("Start a run", Permission.RUN_START, body=StartRun, answer=WholeRunShape, status=201, own_key=True)
    def create(self, values: Any) -> Run:
        """Queued: the next worker takes it."""
        name, session, key = values.pop("agent"), values.pop("session"), self._key()
        if session is not None:
            session = self.find(Session.objects.select_related("agent"), str(session))
        elif not name:
            raise InvalidError("Say which agent, or which session goes on.", field="agent")
        agent = self.find(Agent.objects.all(), name) if name else session.agent
        delegation = delegation_named(self.actor, values.pop("delegation"))
        return start_run(actor=self.actor, agent=agent, source="api", submission=key, session=session,
                         delegation=delegation, **values)  # fmt: skip

    @verb("post", "cancel", "Cancel a run", Permission.RUN_CONTROL, body=Reason, answer=WholeRunShape)
    def cancel(self, values: Any) -> Run:
        """At the next step, and all that it has delegated; what was done stays done."""
        return self._after(cancel_run(actor=self.actor, run=self.get_object(), reason=values["reason"]))

    @verb("post", "resolve-unknown", "Say what happened at a step in doubt", Permission.RUN_CONTROL,
          body=ResolveUnknown, answer=WholeRunShape)  # fmt: skip
    def resolve_unknown(self, values: Any) -> Run:
        """The run goes on from there. One that has ended stays so, and takes no `retry`."""
        return self._after(
            resolve_unknown(
                actor=self.actor,
                run=self.get_object(),
                number=values["step"],
                outcome=values["outcome"],
                evidence=values["evidence"],
            )
        )

    @verb("get", "steps", "List the steps of a run", answer=StepShape, many=True, paging=NumberPagination)
    def steps(self, _values: Any) -> Any:
        """In order."""
        return Step.objects.filter(run_id=self.get_object().id).order_by("number")

    @verb("get", "remit", "Show what a run may do, and in whose name", answer=RemitShape)
    def remit(self, _values: Any) -> Remit:
        """The chain of those whom it acts for, and the intersection of what each of them may do."""
        run = self.get_object()
        return remit_of(run, run.version, database_now())

    @verb("get", "events", "List the events of a run", answer=EventShape, many=True,
          paging=NumberPagination)  # fmt: skip
    def events(self, _values: Any) -> Any:
        """In order; `/events/stream` sends them as they come."""
        return Event.objects.filter(run_id=self.get_object().id).order_by("number")

    def _after(self, _changed: Any) -> Run:
        found: Run = self.get_object()
        return found

    def _key(self) -> str | None:
        key = key_of(self.request.headers)
        if key is not None and key.startswith(RESERVED_KEYS):
            raise InvalidError(f"Idempotency-Key must not begin with {' or '.join(RESERVED_KEYS)}: choose another one.")
        return key
