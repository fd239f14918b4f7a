"""Whether arguments fit a tool's JSON schema (draft 2020-12).

Whatever is in any doubt is looked at by the library, which also finds what does not fit.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
from referencing import Registry

from agents.runs.flat_schemas import fits_of

_MOST_KEPT = 4_096


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
    if error.validator is None:
        return "nothing is allowed there"
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
        made = _kept[id(schema)] = _Schema(schema, validator, fits_of(schema))
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
        return made
