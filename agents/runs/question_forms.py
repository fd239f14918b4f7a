"""The form of a question, from its JSON Schema: a flat object of texts, numbers and yes or no (`questions.py`).

Names, titles and descriptions are an agent's words: they are shown as text, and say nothing in our name.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from agents.runs.questions import LONGEST_TEXT
from foundation.web.components.markup import visible

_LONG = 200  # characters from which a text gets more than one line
_YES_NO = [("true", "Yes"), ("false", "No")]


def form_of(schema: Mapping[str, Any], data: Any = None) -> forms.Form:
    """The form, empty or with what was sent."""
    required, fields = list(schema.get("required", [])), schema.get("properties", {})
    form = forms.Form(data, auto_id="answer_%s")
    # The database keeps no order of an object's fields: what must be said stands first, as the agent listed it.
    for name in [*required, *(one for one in fields if one not in required)]:
        form.fields[name] = _field(name, fields[name], is_required=name in required)
    return form


def _field(name: str, one: Mapping[str, Any], *, is_required: bool) -> forms.Field:
    shared: dict[str, Any] = {
        "label": visible(str(one.get("title") or name.replace("_", " ").capitalize()))[:200],
        "help_text": visible(str(one.get("description", "")))[:1_000],
        "required": is_required,
        "initial": one.get("default"),
    }
    if "enum" in one:
        return _choice([(str(value), visible(str(value))) for value in one["enum"]], shared)
    match one.get("type"):
        case "boolean":
            shared["initial"] = str(one["default"]).lower() if "default" in one else None
            return _choice(_YES_NO, shared)
        case "integer":
            return forms.IntegerField(min_value=one.get("minimum"), max_value=one.get("maximum"), **shared)
        case "number":
            return forms.FloatField(min_value=one.get("minimum"), max_value=one.get("maximum"), **shared)
    longest = min(one.get("maxLength", LONGEST_TEXT), LONGEST_TEXT)
    widget = forms.Textarea(attrs={"rows": 4}) if longest > _LONG else forms.TextInput()
    return forms.CharField(
        max_length=longest, min_length=one.get("minLength"), widget=widget, strip=False, empty_value="", **shared
    )


def _choice(choices: list[tuple[str, str]], shared: dict[str, Any]) -> forms.Field:
    if len(choices) > 4:  # noqa: PLR2004 - more are a list
        return forms.ChoiceField(choices=[("", "Choose"), *choices], **shared)
    return forms.ChoiceField(choices=choices, widget=forms.RadioSelect, **shared)


def answer_of(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as the schema names its values; what was left empty and is not asked for is left out."""
    required = set(schema.get("required", []))
    answer = {}
    for name, one in schema.get("properties", {}).items():
        value = values.get(name)
        if value in {None, ""} and name not in required:
            continue
        answer[name] = _typed(value, one)
    return answer


def _typed(value: Any, one: Mapping[str, Any]) -> Any:
    if "enum" in one:
        return next((choice for choice in one["enum"] if str(choice) == value), value)
    return value == "true" if one.get("type") == "boolean" else value
