"""REST endpoints of sessions: what is in them, and what people may do with them."""

from typing import Any

from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from agents.registry.models import Agent, AgentVersion
from agents.runs.artifacts_api import ArtifactShape, SaveFile
from agents.runs.bodies import require_turns
from agents.runs.body_shapes import BodyEndpoints, ItemField, MemoryField
from agents.runs.items import Item, items_after
from agents.runs.models import Artifact, Session
from agents.runs.sessions import (
    close_session,
    export_session,
    forget_memory,
    move_session,
    open_session,
    save_artifact,
    set_memory,
)
from agents.runs.shapes import SessionShape
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.paging import KeysetPagination
from foundation.api.serializers import Body, Reason
from foundation.api.viewsets import Read
from foundation.errors import InvalidError


class OpenSession(Body):
    """`agent` by id or slug; `counterpart` is whom it works with, by default you."""

    agent = serializers.CharField()
    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    counterpart = serializers.CharField(max_length=300, allow_blank=True, default="")


class MoveSession(Reason):
    """The number of another version of its agent."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class SetMemory(Body):
    """Any JSON under a name of up to 80 characters."""

    name = serializers.CharField(max_length=80)
    value = serializers.JSONField()


class ForgetMemory(Body):
    """The name that is to be forgotten."""

    name = serializers.CharField(max_length=80, trim_whitespace=False)


class ItemShape(serializers.Serializer[Item]):
    """One thing in a session. `kind` is message, call, output, decision or summary; `step` 0 is a run's input.

    `name` is the role of a message, else the tool, the agent or the model. `tokens` is an upper bound. The content is
    for auditors; that of a run's input also for whoever started the run.
    """

    id = serializers.CharField()
    kind = serializers.CharField()
    run = serializers.UUIDField()
    step = serializers.IntegerField()
    name = serializers.CharField()
    content = ItemField()
    call_id = serializers.CharField()
    state = serializers.CharField()
    label = serializers.JSONField()  # type: ignore[assignment]  # a field
    tokens = serializers.IntegerField()
    at = serializers.DateTimeField()


class MemoryShape(serializers.Serializer[Any]):
    """The working memory: a name gives `{"value", "label"}`. The values are for auditors."""

    memory = MemoryField()


class ExportShape(serializers.Serializer[Any]):
    """A session as one document; `format` names its shape. Files are in it by their digests."""

    format = serializers.CharField()
    session = serializers.JSONField()
    memory = serializers.JSONField()
    runs = serializers.JSONField()
    items = serializers.JSONField()
    summaries = serializers.JSONField()
    files = serializers.JSONField()


class ItemPagination(KeysetPagination):
    """By the id of an item: a run, a step, and a place in it."""

    key_schema = {"type": "string"}

    def items(self, request: Any, session: Session) -> list[Item]:
        """The items of this page."""
        limit = self._limit(request)
        try:
            found, last = items_after(session, request.query_params.get("after", ""), limit)
        except ValueError:
            raise ValidationError({"after": "Give the id of the last item that you have."}) from None
        if last:
            self.next_page = self._address(request, last, limit)
        return found


class SessionEndpoints(BodyEndpoints, Read):
    """Sessions of the agents that one may see."""

    rows = Session.objects.select_related("agent", "version")
    shape = SessionShape
    permission = Permission.RUN_VIEW
    filterset_fields = ["agent", "state"]

    def get_queryset(self) -> Any:
        """A list is read without what it does not show."""
        rows: Any = super().get_queryset()
        return rows.listed() if self.action == "list" else rows

    @operation("Open a session", Permission.RUN_START, body=OpenSession, status=201)
    def create(self, values: Any) -> Session:
        """Empty, and pinned to the version that serves. `POST /runs` with its id begins a turn."""
        agent = self.find(Agent.objects.select_related("serving"), values.pop("agent"))
        return open_session(actor=self.actor, agent=agent, **values)

    @verb("get", "items", "List the items of a session", answer=ItemShape, many=True, paging=ItemPagination)
    def items(self, _values: Any) -> list[Item]:
        """In order, over all its runs."""
        pages = self.paginator
        found: Session = self.get_object()
        shown = pages.items(self.request, found) if isinstance(pages, ItemPagination) else []
        self.readings.load({item.run for item in shown}, session=found)
        return shown

    @verb("get", "memory", "Show the working memory of a session", answer=MemoryShape)
    def memory(self, _values: Any) -> Session:
        """Names, values and labels."""
        found: Session = self.get_object()
        return found

    @memory.mapping.post  # type: ignore[untyped-decorator]  # of an Any
    @operation("Note a value in a session", Permission.RUN_CONTROL, body=SetMemory, answer=MemoryShape)
    def remember(self, values: Any) -> Session:
        """The agent is shown it from its next look on. A person's word is trusted, a program's is not."""
        return set_memory(actor=self.actor, session=self.get_object(), **values)

    @verb("post", "memory/forget", "Forget a value of a session", Permission.RUN_CONTROL, body=ForgetMemory,
          answer=MemoryShape)  # fmt: skip
    def forget(self, values: Any) -> Session:
        """What was read of it stays in the journal."""
        return forget_memory(actor=self.actor, session=self.get_object(), name=values["name"])

    @verb("get", "files", "List the files of a session", answer=ArtifactShape, many=True)
    def files(self, _values: Any) -> Any:
        """The newest first; a former file of the same name stays."""
        rows = Artifact.objects.select_related("blob").defer("blob__content")
        return rows.filter(session=self.get_object()).order_by("-id")

    @files.mapping.post  # type: ignore[untyped-decorator]  # of an Any
    @operation("Save a file in a session", Permission.RUN_CONTROL, body=SaveFile, answer=ArtifactShape, status=201)
    def save(self, values: Any) -> Artifact:
        """It counts as untrusted."""
        return save_artifact(actor=self.actor, session=self.get_object(), **values)

    @verb("get", "export", "Export a session", Permission.AUDIT_READ_BODIES, answer=ExportShape)
    def export(self, _values: Any) -> StreamingHttpResponse:
        """Made while it is sent: what has no closing bracket was broken off. The record tells that it was read."""
        session: Session = self.get_object()
        require_turns(self.actor, session)
        pieces = export_session(actor=self.actor, session=session)
        return StreamingHttpResponse(pieces, content_type="application/json")

    @verb("post", "move", "Move a session to another version", Permission.AGENT_MANAGE, body=MoveSession)
    def move(self, values: Any) -> Session:
        """For its next runs; only while none goes on."""
        found: Session = self.get_object()
        version = AgentVersion.objects.filter(agent_id=found.agent_id, number=values["version"]).first()
        if version is None:
            raise InvalidError(f"Its agent has no version {values['version']}.", "version")
        return move_session(actor=self.actor, session=found, version=version, reason=values["reason"])

    @verb("post", "close", "Close a session", Permission.RUN_CONTROL, body=Reason)
    def close(self, values: Any) -> Session:
        """It takes no more input, and stays readable."""
        return close_session(actor=self.actor, session=self.get_object(), reason=values["reason"])
