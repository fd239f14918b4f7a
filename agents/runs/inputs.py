"""What a run takes as its input."""

import json
from typing import Any

from foundation.audit.plain import plain_text
from foundation.errors import InvalidError
from foundation.inputs import checked_json

MAX_INPUT = 1_000_000  # characters


def check_input(given: str | dict[str, Any]) -> None:
    """Text or an object, of a bounded length. Raises InvalidError."""
    text = json.dumps(checked_json(given, 6 * MAX_INPUT, "input"), ensure_ascii=False)
    if len(text) > MAX_INPUT:
        raise InvalidError(f"The input is longer than {MAX_INPUT:,} characters: shorten it.", field="input")
    if plain_text(text) != text:
        raise InvalidError("The input holds half a character (a lone surrogate): take it out.", field="input")
