"""The OpenAPI document, made from what the operations say of themselves."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from foundation.api.descriptions import Operation, operation_of
from foundation.api.errors import MEDIA_TYPE
from foundation.api.once import HEADER, LONGEST_KEY
from foundation.api.permissions import permission_of


class ProblemShape(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(help_text="`urn:remit:problem:` and a name that stays the same.")
    title = serializers.CharField(help_text="The HTTP status in words.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened, and what to do.")
    request_id = serializers.CharField(help_text="The log and the record hold more under this id.")
    permission = serializers.CharField(required=False, help_text="The permission that is missing (403).")
    permissions = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="All that are missing, where something would have been given that one does not have (403).",
    )
    errors = serializers.DictField(  # type: ignore[assignment]  # a field, taken out of the class by the framework
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Messages by field (400, 403); a field within another is written with dots.",
    )


ERRORS = {
    400: "The body or a parameter is not valid.",
    401: "Nobody is signed in, or the key is unknown, expired or revoked.",
    403: "The named permission is missing.",
    404: "There is no such thing, or you may not see it.",
    409: "It has changed meanwhile, or is there already.",
}


class DocumentedSchema(AutoSchema):
    """Summary, body, answer and errors of an operation, and the permission that it needs."""

    view: Any

    @property
    def operation(self) -> Operation:
        """What the endpoint says of itself; a view without it cannot be documented."""
        found = operation_of(self.view, self.view.action)
        if found is None:
            message = f"{type(self.view).__name__}.{self.view.action} is no operation (foundation.api.operations)."
            raise TypeError(message)
        return found

    def get_operation_id(self) -> str:
        """`runs_cancel`: the resource, and what is done."""
        resource = self._tokenize_path()[0].replace("-", "_")
        name = {"retrieve": "read", "partial_update": "change"}.get(self.view.action, self.view.action)
        return f"{resource}_{name}"

    def get_summary(self) -> str:
        """One line."""
        words = self.view.rows.model._meta if self.view.rows is not None else None
        return self.operation.summary.format(
            noun=getattr(words, "verbose_name", ""), nouns=getattr(words, "verbose_name_plural", "")
        )

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """The permission, for whoever reads the document."""
        return f"Needs the permission `{permission_of(self.view, self.view.action)}`."

    def get_override_parameters(self) -> list[Any]:
        """The key with which something is made once."""
        said = "The same request with the same key makes it once. It is kept for 30 days."
        if not self.operation.makes:
            return []
        if self.operation.own_key:
            said = "The same request with the same key makes it once."
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}
        return [OpenApiParameter(HEADER, schema, OpenApiParameter.HEADER, description=said)]

    def get_request_serializer(self) -> Any:
        """The body."""
        return self.operation.body

    def get_response_serializers(self) -> Any:
        """The answer, and every error that can come."""
        described = self.operation
        answers: dict[Any, Any] = {
            described.status: None if described.status == 204 else described.answer or self.view.shape  # noqa: PLR2004 - No Content
        }
        problems = {(status, MEDIA_TYPE): _Described(said) for status, said in ERRORS.items() if self._may(status)}
        return answers | problems

    def get_filter_backends(self) -> list[Any]:
        """Filters belong to the list itself, not to lists below a row."""
        return super().get_filter_backends() if self.view.action == "list" else []

    def _get_paginator(self) -> Any:
        return self.operation.paging()

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._get_pagination_parameters()  # type: ignore[no-untyped-call]  # theirs
        return found if self.method == "GET" else []

    def _may(self, status: int) -> bool:
        writes = self.method != "GET"
        return {400: writes or self.operation.many, 409: writes, 404: "{" in self.path or writes}.get(status, True)

    def _get_response_for_code(self, serializer: Any, status_code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(serializer, _Described):
            found: dict[str, Any] = super()._get_response_for_code(serializer, status_code, *args, **kwargs)  # type: ignore[no-untyped-call]  # theirs
            found["description"] = found["description"] or "Done."
            return found
        component = self.resolve_serializer(ProblemShape, "response")
        return {"description": serializer.said, "content": {MEDIA_TYPE: {"schema": component.ref}}}

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:  # noqa: FBT001, FBT002 - the base's signature
        found = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]  # theirs
        if not (isinstance(field, serializers.ChoiceField) and isinstance(field.parent, serializers.ModelSerializer)):
            return found
        # One component for each choice of a model, `RunState`, however many shapes show it.
        source = field.parent.Meta.model
        name = f"{source.__name__}{str(field.field_name).title().replace('_', '')}"
        values = [*field.choices, *([""] if field.allow_blank else [])]
        component = ResolvedComponent(  # type: ignore[no-untyped-call]  # theirs
            name=name, type=ResolvedComponent.SCHEMA, object=name, schema={"type": "string", "enum": values}
        )
        self.registry.register_on_missing(component)
        return component.ref

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:  # noqa: ARG002 - the base's signature
        """The class, without the word that it has for us only."""
        return type(serializer).__name__.removesuffix("Shape")

    def _is_list_view(self, serializer: Any = None) -> bool:  # noqa: ARG002 - the base's signature
        return self.operation.many

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [_path_parameter(name) for name in variables]


def _path_parameter(name: str) -> dict[str, Any]:
    described = _PATH.get(name, "")
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": described}


_PATH = {"id": "Its id; or its slug, where it has one.", "number": "Its number."}


class _Described:
    """An error in the list of answers."""

    def __init__(self, said: str) -> None:
        self.said = said


class ActorScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # theirs
    """API key for programs, the console's session for its pages (with the CSRF token to write)."""

    target_class = "foundation.api.authentication.ActorAuthentication"
    name = ["apiKey", "session"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:  # noqa: ARG002 - the base's signature
        """Either of them."""
        return [{"apiKey": []}, {"session": []}]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:  # noqa: ARG002 - the base's signature
        """How each is sent."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key of Remit."},
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        ]
