"""Bodies in answers: whoever may not read one finds its size in its place, and the permission that shows it."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from foundation.access.withheld import Withheld


class WithheldShape(serializers.Serializer[Any]):
    """Stands in the place of a body. `withheld` is the permission that shows it, `bytes` the size of its JSON."""

    withheld = serializers.CharField()
    bytes = serializers.IntegerField()


class WithheldField(serializers.Field[Any, Any, Any, Any]):
    """A body that is withheld from some. `is_text` says what it is where it is shown: text, or any JSON.

    Below, `shown` says what a caller gets of a row: the body, or a Withheld.
    """

    def __init__(self, *, is_text: bool = False, **more: Any) -> None:
        self.is_text = is_text
        super().__init__(**more, read_only=True, source="*")

    def shown(self, row: Any) -> Any:
        """The body of a row, or what stands in its place."""
        raise NotImplementedError

    def to_representation(self, value: Any) -> Any:
        """As JSON; `value` is the row."""
        found = self.shown(value)
        return found.as_json() if isinstance(found, Withheld) else found


class WithheldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # theirs
    """In the document: the body, or what stands in its place."""

    target_class = WithheldField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """One of the two."""
        component = auto_schema.resolve_serializer(WithheldShape, direction)
        body: dict[str, Any] = {"type": "string"} if self.target.is_text else {"description": "Any JSON."}
        return {"anyOf": [component.ref, body]}
