"""Bodies that come in are strict: an unknown field is an error, not a silent nothing."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class Body(serializers.Serializer[Any]):
    """A request's body. Raises ValidationError naming every unknown field along with the wrong ones."""

    def to_internal_value(self, data: Any) -> Any:
        """The validated values."""
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        known = [name for name, field in self.fields.items() if not field.read_only]
        unknown = [str(name) for name in data if name not in known]
        said = f"There is no such field here. Fields: {', '.join(known)}."
        problems: dict[str, Any] = dict.fromkeys(unknown, said)
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            problems |= error.detail if isinstance(error.detail, dict) else {"": error.detail}
        if problems:
            raise serializers.ValidationError(problems)
        return values


class Shape(serializers.ModelSerializer[Any]):
    """A row as it goes out: read-only, every field named."""

    def get_fields(self) -> dict[str, Any]:
        """All fields, none of them writable."""
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return fields


class Reason(Body):
    """Why a person does this; it stays in the record."""

    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class MandatoryReason(Body):
    """Why a person does this; it stays in the record."""

    reason = serializers.CharField(max_length=300)
