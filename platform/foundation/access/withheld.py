"""What stands in the place of a body for whoever may not read it: how large it is, and which permission shows it."""

import json
from dataclasses import dataclass
from typing import Any

from foundation.access.roles import Permission


@dataclass(frozen=True, slots=True)
class Withheld:
    """A body that is not shown. `bytes` is the size of its text, or of its JSON."""

    permission: str
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """As the API says it."""
        return {"withheld": self.permission, "bytes": self.bytes}


def withheld(value: Any) -> Any:
    """What is told of a value instead of it. Where there is nothing, nothing is withheld: it stays as it is."""
    if value is None or (isinstance(value, str | list | dict) and not value):
        return value
    return Withheld(Permission.AUDIT_READ_BODIES.value, _size(value))


def _size(value: Any) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return len(text.encode(errors="replace"))
