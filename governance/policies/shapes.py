"""The types of tool arguments: from JSON Schema (2020-12) to Cedar, and values from one to the other.

integer is Long, number is decimal (four places), string is String, boolean is Bool, array is Set, object is Record.
What has no single Cedar type (anything at all, mixed alternatives) has no shape: it is left out, and stays readable
as text in `context.args_json`. A value that may be null is optional, and null counts as absent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

LONGEST = 2**63 - 1
DEEPEST = 8
_PLACES = Decimal("0.0001")


class UnfitError(ValueError):
    """A value does not fit its shape, so no policy can judge it."""


class Scalar(StrEnum):
    """Shapes without parts, by their Cedar names."""

    LONG = "Long"
    DECIMAL = "decimal"
    STRING = "String"
    BOOL = "Boolean"


@dataclass(frozen=True, slots=True)
class SetOf:
    """An array: order and repetition are lost."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Member:
    """A property of an object: its shape, and whether it is always there."""

    shape: "Shape"
    required: bool


@dataclass(frozen=True, slots=True)
class Record:
    """An object with the properties that have a shape."""

    members: Mapping[str, Member] = field(default_factory=dict)


Shape = Scalar | SetOf | Record

_SCALARS = {"integer": Scalar.LONG, "number": Scalar.DECIMAL, "string": Scalar.STRING, "boolean": Scalar.BOOL}
_BY_TYPE = {bool: Scalar.BOOL, int: Scalar.LONG, str: Scalar.STRING}


def cedar_type(shape: Shape) -> dict[str, Any]:
    """The shape in Cedar's JSON schema format."""
    match shape:
        case SetOf(item):
            return {"type": "Set", "element": cedar_type(item)}
        case Record(members):
            return {"type": "Record", "attributes": {name: _attribute(member) for name, member in members.items()}}
        case Scalar.DECIMAL:
            return {"type": "Extension", "name": "decimal"}
    return {"type": shape.value}


def _attribute(member: Member) -> dict[str, Any]:
    return cedar_type(member.shape) | {"required": member.required}


def project(value: Any, shape: Shape) -> Any:
    """The value in Cedar's JSON context format; raises UnfitError."""
    match shape:
        case SetOf(item) if isinstance(value, list | tuple):
            return [project(part, item) for part in value]
        case Record(members) if isinstance(value, Mapping):
            return _project_record(value, members)
        case Scalar.BOOL if isinstance(value, bool):
            return value
        case Scalar.STRING if isinstance(value, str):
            return value
        case Scalar.LONG if not isinstance(value, bool):
            return _whole(value)
        case Scalar.DECIMAL if not isinstance(value, bool) and isinstance(value, int | float):
            return {"__extn": {"fn": "decimal", "arg": _decimal(value)}}
    message = f"{type(value).__name__} is not a {type(shape).__name__ if not isinstance(shape, Scalar) else shape}"
    raise UnfitError(message)


def is_hidden(value: Any, shape: Shape, path: Sequence[str]) -> bool:
    """Whether a value stands at a path where the shape knows of none: a policy would take it for absent."""
    for name in path:
        if not isinstance(shape, Record) or not isinstance(value, Mapping) or value.get(name) is None:
            return False
        if name not in shape.members:
            return True
        value, shape = value[name], shape.members[name].shape
    return False


def hides(value: Any, shape: Shape, path: Sequence[str]) -> bool:
    """Whether what stands at a path holds a value that its shape knows nothing of, at any depth of objects and sets.

    Taken whole (compared, looked for in a set) it would be taken for something else.
    """
    for name in path:
        if not isinstance(shape, Record) or not isinstance(value, Mapping) or name not in shape.members:
            return False
        value, shape = value.get(name), shape.members[name].shape
    return _hides(value, shape)


def _hides(value: Any, shape: Shape) -> bool:
    match shape:
        case SetOf(item) if isinstance(value, list | tuple):
            return any(_hides(part, item) for part in value)
        case Record(members) if isinstance(value, Mapping):
            there = [(name, part) for name, part in value.items() if part is not None]
            return any(name not in members or _hides(part, members[name].shape) for name, part in there)
    return False


def _project_record(value: Mapping[str, Any], members: Mapping[str, Member]) -> dict[str, Any]:
    known = ((name, member) for name, member in members.items() if value.get(name) is not None)
    return {name: project(value[name], member.shape) for name, member in known}


def _whole(value: Any) -> int:
    # JSON Schema counts 5.0 as an integer.
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(whole, int) or abs(whole) > LONGEST:
        message = "not a whole number of 64 bits"
        raise UnfitError(message)
    return whole


def _decimal(value: float) -> str:
    exact = Decimal(repr(value))
    if not exact.is_finite() or abs(exact) >= LONGEST * _PLACES or exact != (short := exact.quantize(_PLACES)):
        message = "a number with more than four decimal places, or too large"
        raise UnfitError(message)
    return format(short, "f")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads shapes out of one JSON Schema document; `root` resolves references within it."""

    root: Mapping[str, Any]

    def members(self, schema: Mapping[str, Any], depth: int = 0) -> dict[str, Member]:
        """The properties of an object that have a shape."""
        found: dict[str, Member] = {}
        required = _listed(schema.get("required"))
        for name, part in properties(schema).items():
            shape, nullable = self.read(part, depth + 1)
            if shape is not None:
                found[name] = Member(shape, name in required and not nullable)
        return found

    def read(self, schema: Any, depth: int) -> tuple[Shape | None, bool]:
        """The shape of a schema, or None if it has no single one; and whether it may be null."""
        if depth > DEEPEST or not isinstance(schema, Mapping):
            return None, True
        if "$ref" in schema:
            return self.read(self._referred(schema["$ref"]), depth + 1)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self._alternatives(schema[word], depth)
        if "enum" in schema or "const" in schema:
            return _of_values(_listed(schema["enum"]) if "enum" in schema else [schema["const"]])
        return self._typed(schema, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> tuple[Shape | None, bool]:
        declared = schema.get("type")
        names = {name for name in _listed(declared) or [declared] if isinstance(name, str)}
        nullable = "null" in names
        names.discard("null")
        if len(names) != 1:
            return None, True
        name = names.pop()
        if name == "array":
            item, holes = self.read(schema.get("items"), depth + 1)
            return (None if item is None or holes else SetOf(item)), nullable
        if name == "object":
            return (Record(self.members(schema, depth)) if properties(schema) else None), nullable
        return _SCALARS.get(name), nullable

    def _alternatives(self, schemas: Any, depth: int) -> tuple[Shape | None, bool]:
        parts = [part for part in _listed(schemas) if part != {"type": "null"}]
        read = [self.read(part, depth + 1) for part in parts]
        nullable = parts != schemas or any(holes for _, holes in read)
        if not read or any(shape != read[0][0] for shape, _ in read):
            return None, True
        return read[0][0], nullable

    def _referred(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        part: Any = self.root
        for name in reference[2:].split("/"):
            part = part.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(part, Mapping) else None
        return part


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object's properties, without names in Cedar's own escapes: `__extn`, `__entity` would forge values."""
    declared = schema.get("properties")
    if not isinstance(declared, Mapping):
        return {}
    return {name: part for name, part in declared.items() if name.isprintable() and not name.startswith("__")}


def _of_values(values: list[Any]) -> tuple[Shape | None, bool]:
    kinds = {type(value) for value in values} - {type(None)}
    shape = _BY_TYPE.get(kinds.pop()) if len(kinds) == 1 else None
    return shape, None in values


def _listed(value: Any) -> list[Any]:
    # A tool's schema is written by strangers: anything may stand anywhere.
    return value if isinstance(value, list) else []


def arguments_of(schema: Mapping[str, Any]) -> Record:
    """The shape of a tool's arguments: an object's, whatever has no shape left out."""
    return Record(Reader(schema).members(schema))
