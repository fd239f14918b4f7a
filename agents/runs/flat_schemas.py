"""Flat JSON schemas: an object of named values with plain types. That arguments surely fit one is seen at once."""

from collections.abc import Callable, Mapping
from typing import Any

# JSON values as Python has them, by the schema's word. A fraction may be an integer (1.0): that is for the library.
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "null": (type(None),),
    "array": (list,), "object": (dict,),
}  # fmt: skip
_SAY_NOTHING = {"title", "description", "examples", "default", "$schema", "$comment", "deprecated"}


def fits_of(schema: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool] | None:
    """Sees that arguments fit a flat schema; None for any other."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type") != "object" or not isinstance(properties, dict) or not isinstance(required, list):
        return None
    if set(schema) - _SAY_NOTHING - {"type", "properties", "required", "additionalProperties"}:
        return None
    kinds: dict[str, tuple[type, ...]] = {}
    for name, inner in properties.items():
        kind = inner.get("type") if isinstance(inner, dict) else None
        if not isinstance(kind, str) or kind not in _TYPES or set(inner) - _SAY_NOTHING - {"type"}:
            return None
        kinds[name] = _TYPES[kind]
    needed = frozenset(required)

    def surely_fits(arguments: Mapping[str, Any]) -> bool:
        return needed <= arguments.keys() and all(
            type(value) in kinds.get(name, ()) for name, value in arguments.items()
        )

    return surely_fits
