"""Whether arguments fit a tool's JSON schema (draft 2020-12).

Most schemas are flat: an object of named values with plain types. That arguments surely fit such a one is seen at once;
whatever is in any doubt is looked at by the library, which also finds the words.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
from referencing import Registry

_MOST_KEPT = 4_096

# JSON values as Python has them, by the schema's word. A fraction may be an integer (1.0): that is for the library.
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "null": (type(None),),
    "array": (list,), "object": (dict,),
}  # fmt: skip
_SAY_NOTHING = {"title", "description", "examples", "default", "$schema", "$comment", "deprecated"}


@dataclass(frozen=True, slots=True)
class _Schema:
    given: Mapping[str, Any]
    validator: jsonschema.Draft202012Validator
    surely_fits: Callable[[Mapping[str, Any]], bool] | None


_kept: OrderedDict[int, _Schema] = OrderedDict()
_lock = threading.Lock()


def mismatch(schema: Mapping[str, Any], arguments: dict[str, Any]) -> str:
    """What is wrong with a call's arguments, in a sentence for the model; empty if they fit."""
    try:
        known = _known(schema)
        if known.surely_fits is not None and known.surely_fits(arguments):
            return ""
        errors = list(known.validator.iter_errors(arguments))
        first = min(errors, key=lambda error: list(map(str, error.path)), default=None)
    except Exception as error:  # noqa: BLE001 - a schema is a stranger's: what cannot be checked is not called
        return f"The tool's schema cannot be used ({type(error).__name__}): ask whoever runs the tool."
    if first is None:
        return ""
    return f"Against the tool's schema, at {_place(schema, first)}: {_words(first)}"


def _place(schema: Mapping[str, Any], error: jsonschema.ValidationError) -> str:
    """Where, as far as the schema itself names it: other names are the model's words."""
    here = next(iter(error.path), None)
    declared = schema.get("properties")
    return str(here) if isinstance(declared, dict) and here in declared else "the arguments"


def _words(error: jsonschema.ValidationError) -> str:
    """What is asked, and nothing of what was there: more people read why a call was refused than its arguments."""
    if error.validator == "required":
        return error.message
    return f"{error.validator} must be {json.dumps(error.validator_value, ensure_ascii=False)}"[:200]


def _known(schema: Mapping[str, Any]) -> _Schema:
    """A schema with its validator; schemas are kept with their definitions, and so is this with its schema."""
    with _lock:
        kept = _kept.get(id(schema))
        if kept is not None and kept.given is schema:
            return kept
        # An own, empty registry: a schema of a tool must not make us fetch what it refers to.
        validator = jsonschema.Draft202012Validator(dict(schema), registry=Registry())
        made = _kept[id(schema)] = _Schema(schema, validator, _flat(schema))
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
        return made


def _flat(schema: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool] | None:
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
