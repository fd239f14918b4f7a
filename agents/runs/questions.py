"""The forms of questions: JSON Schemas of flat objects, simple enough to be shown as fields and safe to check."""

from collections.abc import Mapping
from typing import Any

import jsonschema
from referencing import Registry

MOST_FIELDS = 20
LONGEST_TEXT = 4_000  # characters of an answer's field
ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer", "minLength": 1, "maxLength": LONGEST_TEXT}},
    "required": ["answer"],
    "additionalProperties": False,
}

_TYPES = ("string", "number", "integer", "boolean")
# No patterns (they can be made to take for ever), no references, nothing inside one another.
_FORM = {"type", "title", "description", "properties", "required", "additionalProperties"}
_FIELD = {"type", "title", "description", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "format"}


def form_problem(form: Mapping[str, Any]) -> str:
    """Why a form cannot be shown, in a sentence; empty if it can."""
    fields = form.get("properties")
    if form.get("type") != "object" or not isinstance(fields, Mapping) or not 1 <= len(fields) <= MOST_FIELDS:
        return f'The form must be {{"type": "object", "properties": {{…}}}} with 1 to {MOST_FIELDS} fields.'
    if unknown := sorted(set(form) - _FORM):
        return f"The form cannot hold {', '.join(unknown)}."
    for name, one in fields.items():
        if not isinstance(one, Mapping) or one.get("type") not in _TYPES:
            return f"The field {name} must have a type: {', '.join(_TYPES)}."
        if unknown := sorted(set(one) - _FIELD):
            return f"The field {name} cannot hold {', '.join(unknown)}."
        if any(isinstance(value, (list, dict)) for value in _offered(one)):
            return f"The field {name} can offer texts, numbers, true and false only."
    try:
        jsonschema.Draft202012Validator.check_schema(dict(form))
    except jsonschema.SchemaError as error:
        return f"The form is no JSON Schema: {error.message[:200]}"
    # What it requires is a list of texts by now.
    if set(form.get("required", [])) - set(fields):
        return "The form requires a field that it does not have."
    return ""


def answer_problem(form: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, str]:
    """The first field of an answer that does not fit its form, and why; two empty texts if it fits."""
    if unknown := sorted(set(answer) - set(form["properties"])):
        return unknown[0], f"The form has no field {unknown[0]}."
    for name, value in answer.items():
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            return name, f"Write at most {LONGEST_TEXT:,} characters."
    checker = jsonschema.Draft202012Validator(dict(form), registry=Registry())
    first = next(iter(sorted(checker.iter_errors(dict(answer)), key=lambda error: list(map(str, error.path)))), None)
    if first is None:
        return "", ""
    return str(first.path[0]) if first.path else "", first.message[:200]


def chosen(form: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether a field of an answer is what the form offered: an option, or a default. Yes and no are nobody's."""
    for name, value in answer.items():
        if not isinstance(value, bool) and value in _offered(form["properties"].get(name, {})):
            return True
    return False


def _offered(field: Mapping[str, Any]) -> list[Any]:
    options = field.get("enum", [])
    return [*(options if isinstance(options, list) else []), *([field["default"]] if "default" in field else [])]
