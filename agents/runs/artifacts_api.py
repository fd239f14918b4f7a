"""REST endpoints of files: their content goes out as an attachment only, because anybody may have written it."""

import base64
import binascii
from typing import Any
from urllib.parse import quote

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from agents.runs.bodies import require_turns
from agents.runs.files import LARGEST_FILE, UNKNOWN_TYPE
from agents.runs.models import Artifact
from agents.runs.sessions import read_artifact
from foundation.access.roles import Permission
from foundation.api.operations import verb
from foundation.api.rendering import PlainRenderer
from foundation.api.schema import DocumentedSchema
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read

_LONGEST = LARGEST_FILE * 4 // 3 + 4  # characters of Base64


class ArtifactShape(Shape):
    """A file of a session. `digest` is SHA-256 of its content, in hexadecimal; `run` the one that saved it."""

    run = serializers.UUIDField(source="run_id", allow_null=True)
    size = serializers.IntegerField(source="blob.size")
    digest = serializers.CharField(source="blob.digest")

    class Meta:
        model = Artifact
        fields = ["id", "session", "run", "name", "media_type", "size", "digest", "label", "created_at"]


class SaveFile(Body):
    """A file as `text`, or its bytes as Base64 in `content`."""

    name = serializers.CharField(max_length=200)
    media_type = serializers.CharField(max_length=100, default=UNKNOWN_TYPE)
    text = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=LARGEST_FILE)
    content = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=_LONGEST)

    def validate(self, attrs: Any) -> Any:
        """One of the two, as bytes."""
        text, coded = attrs.pop("text", None), attrs.pop("content", None)
        if (text is None) == (coded is None):
            raise serializers.ValidationError({"content": "Give either text, or content in Base64."})
        try:
            attrs["content"] = text.encode() if text is not None else base64.b64decode(coded, validate=True)
        except (UnicodeEncodeError, binascii.Error, ValueError):
            raise serializers.ValidationError({"content": "This is not Base64, or not text."}) from None
        return attrs


class FileRenderer(BaseRenderer):
    """Bytes as they are; an error as JSON. Whatever a caller accepts: it is an attachment."""

    media_type = "*/*"
    format = "bin"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """The bytes of `data`."""
        if isinstance(data, bytes):
            return data
        return PlainRenderer().render(data, accepted_media_type, renderer_context)


class FileSchema(DocumentedSchema):
    """The content of a file is bytes."""

    def get_response_serializers(self) -> Any:
        """Of the download, the bytes in the place of the row."""
        answers = super().get_response_serializers()
        if self.view.action == "content":
            answers.pop(200)
            answers = {(200, UNKNOWN_TYPE): OpenApiTypes.BINARY} | answers
        return answers


class ArtifactEndpoints(Read):
    """The files of sessions, and their content."""

    rows = Artifact.objects.select_related("blob").defer("blob__content")
    shape = ArtifactShape
    permission = Permission.RUN_VIEW
    filterset_fields = ["session", "name"]
    schema = FileSchema()

    def get_renderers(self) -> list[Any]:
        """Bytes for the content, else the usual."""
        return [FileRenderer()] if self.action == "content" else super().get_renderers()

    @verb("get", "content", "Download a file", Permission.AUDIT_READ_BODIES)
    def content(self, _values: Any) -> Response:
        """As an attachment of unknown type: what is in it is anybody's. The record tells that it was read."""
        found: Artifact = self.get_object()
        require_turns(self.actor, found.session)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return Response(read_artifact(actor=self.actor, artifact=found), headers=headers, content_type=UNKNOWN_TYPE)
