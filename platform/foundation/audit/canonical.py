"""RFC 8785 canonical JSON for the values that an entry may hold: no fractions. Pure; standard library only.

The platform writes leaves with the `rfc8785` package; this second, independent writing serves the offline verifier.
"""

import json
from typing import Any


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value. Raises TypeError for a fraction and for what is no JSON."""
    return _write(value).encode()


def _write(value: Any) -> str:
    if isinstance(value, dict):
        # RFC 8785 sorts by UTF-16 code units, which differs from code points beyond the basic plane.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_write(name)}:{_write(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, float):
        raise TypeError("An entry holds no fractions.")
    return json.dumps(value, ensure_ascii=False)
