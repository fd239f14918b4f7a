"""Types of the columns that the database keeps as JSON: by field, or by shape and field."""

from typing import Any

from agents.labels import Confidentiality, Integrity


def _text(said: str = "") -> dict[str, Any]:
    return {"type": "string", "description": said} if said else {"type": "string"}


def _list(item: dict[str, Any], said: str) -> dict[str, Any]:
    return {"type": "array", "items": item, "description": said}


def _ref(name: str, said: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "description": said}


def _object(said: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": said, **({"properties": properties} if properties else {})}


COMPONENTS: dict[str, Any] = {
    "Label": _object(
        "What is known of a value's origin; empty where nothing came of it yet.",
        integrity={"type": "string", "enum": [one.value for one in Integrity]},
        confidentiality={"type": "string", "enum": [one.value for one in Confidentiality]},
        sources=_list(_text(), "Where it came from, such as `input:api` or `tool:orders.find_order`."),
    ),
    "Determinant": {
        **_object(
            "A policy that determined a decision.",
            effect={"type": "string", "enum": ["permit", "forbid"]},
            policy=_text("Its short name."),
            version={"type": "integer"},
        ),
        "required": ["effect", "policy", "version"],
    },
}

_LABEL = _ref("Label", "The origin of all that went into it.")
_DETERMINANTS = _list({"$ref": "#/components/schemas/Determinant"}, "The policies that determined it.")
_ANY = {"description": "Any JSON: a text, or an object; at most 100 levels of lists and objects in one another."}

COLUMNS: dict[str, dict[str, Any]] = {
    "label": _LABEL,
    "input_label": _LABEL,
    "provenance": {
        "type": "object",
        "additionalProperties": {"$ref": "#/components/schemas/Label"},
        "description": "The label of each argument.",
    },
    "verdict": _object("What the gate said; empty while it was not asked."),
    "usage": _object("Tokens, and `copied` (run, step, cost) where a fork shares the step."),
    "scopes": _list(_text(), "Permissions that the key is narrowed to; empty: all that its holder may."),
    "reasons": _list(_text(), "Why, in words."),
    "approvers": _list(_text(), "Short names of the roles that must approve."),
    "determinants": _DETERMINANTS,
    "chain": _list({"type": "string", "format": "uuid"}, "For whom it acts: ids of principals, the nearest first."),
    "actor_chain": _list({"type": "string", "format": "uuid"}, "For whom the actor acted, the nearest first."),
    "details": _object("Small plain values; which, depends on `action`."),
    "settings": _object("Of the connector's kind; it never holds a secret."),
    "Tool.schema": _object("The JSON Schema of the tool's arguments."),
    "Export.session": _object("The session: agent, version, title, state, label, times."),
    "Export.memory": _object("The working memory, by name."),
    **{
        f"Export.{name}": _list({"type": "object"}, f"All {name} of the session.")
        for name in ("runs", "items", "summaries", "files")
    },
    "input": _ANY,
    "value": _ANY,
}
