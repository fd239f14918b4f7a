"""REST endpoints of what agents ask people."""

from typing import Any, ClassVar

from rest_framework import serializers

from agents.runs.body_shapes import AskedField, BodyEndpoints, BodyField
from agents.runs.models import InputRequest
from agents.runs.waits import answer_question
from foundation.access.roles import Permission
from foundation.api.operations import verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read


class QuestionShape(Shape):
    """An agent's question. `schema` is the JSON Schema of the form, which `answer` fits.

    The question and its form are for whoever may answer, and for auditors; the answer is for auditors.
    """

    question = AskedField(is_text=True)
    schema = AskedField()
    answer = BodyField(allow_null=True)

    class Meta:
        model = InputRequest
        fields = [
            "id", "run", "step", "question", "schema", "state", "answer", "answered_by", "answered_at", "expires_at",
            "created_at",
        ]  # fmt: skip


class Answer(Body):
    """`answer` holds the form's fields by name."""

    answer = serializers.DictField()


class QuestionEndpoints(BodyEndpoints, Read):
    """What agents ask people."""

    rows = InputRequest.objects.select_related("run")
    shape = QuestionShape
    permission = Permission.RUN_VIEW
    filterset_fields: ClassVar[list[str]] = ["run", "state"]
    other = Permission.RUN_CONTROL
    mixes_runs = True

    @verb("post", "answer", "Answer a question", Permission.RUN_CONTROL, body=Answer)
    def answer(self, values: Any) -> InputRequest:
        """The first answer counts, and the run goes on with it."""
        return answer_question(actor=self.actor, request=self.get_object(), answer=values["answer"])
