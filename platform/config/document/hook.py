"""The last touch to the document: types of free columns, words for parameters, examples, and the doors."""

from typing import Any

from config.document.columns import COLUMNS, COMPONENTS
from config.document.doors import DOORS
from config.document.examples import EXAMPLES
from config.document.parameters import PARAMETERS

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
OTHER_ERRORS = (
    "Any other error: 405, 408 (too slow), 413 (too large), 415, 429 (wait for `Retry-After` seconds), 500 or 503."
)


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - drf-spectacular's signature
    """A hook of drf-spectacular."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            _type(described, COLUMNS.get(f"{name}.{field}") or COLUMNS.get(field))
    for described in result["paths"].values():
        for method in METHODS & described.keys():
            _explain(described[method])
    schemas.update(COMPONENTS)
    result["paths"].update(DOORS)
    return result


def _type(described: dict[str, Any], found: dict[str, Any] | None) -> None:
    """Only where nothing is said of the type: the name alone might mean something else."""
    if found is not None and not described.keys() & {"type", "$ref", "allOf", "anyOf", "oneOf"}:
        described.update(found)


def _explain(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        parameter["description"] = parameter.get("description") or PARAMETERS.get(parameter["name"], "")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if operation["operationId"] in EXAMPLES:
            content["example"] = EXAMPLES[operation["operationId"]]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"]["default"] = {"description": OTHER_ERRORS, "content": problem}
