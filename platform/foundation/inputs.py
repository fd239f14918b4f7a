"""What services check of plain inputs before they write anything; each answers with one clear line."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from foundation.actors import Actor, ActorKind
from foundation.audit.plain import plain_text
from foundation.errors import InvalidError

MOST_LEVELS = 100  # of lists and objects in one another: what writes the journal bears some 250
_HUGE = 10**308
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_CURRENCY = re.compile(r"[A-Z]{3}")


def refuse_agent(actor: Actor) -> None:
    """Agents never change what governs them: definitions, keys, grants, policies, budgets."""
    if actor.kind is ActorKind.AGENT:
        raise InvalidError("An agent may not do this: ask a person who may.")


def organisation_of(actor: Actor) -> UUID:
    """The organisation in which an actor acts."""
    if actor.organisation is None:
        raise InvalidError("Nobody says in which organisation this is to happen: choose one first.")
    return actor.organisation


def checked_slug(value: str, longest: int = 60, field: str = "slug") -> str:
    """Lower-case letters, digits, and single hyphens between them."""
    if len(value) > longest or not _SLUG.fullmatch(value):
        raise InvalidError(f"{value!r} is no short name: use up to {longest} of a-z, 0-9 and single hyphens.", field)
    return value


def checked_text(value: str, longest: int, field: str = "name") -> str:
    """Text of one character at least, without blanks around it and without control characters but line ends."""
    text = value.strip()
    if not text:
        raise InvalidError(f"The {field} is empty: give one.", field)
    return checked_optional(text, longest, field)


def checked_optional(value: str, longest: int, field: str) -> str:
    """Text that may be empty."""
    text = value.strip()
    if len(text) > longest:
        raise InvalidError(f"The {field} has {len(text)} characters: use at most {longest}.", field)
    if any(not (letter.isprintable() or letter in "\n\r\t") for letter in text):
        raise InvalidError(f"The {field} holds control characters: take them out.", field)
    return text


def checked_currency(value: str, field: str = "currency") -> str:
    """Three capital letters (ISO 4217)."""
    if not _CURRENCY.fullmatch(value):
        raise InvalidError(f"{value!r} is no currency: use three capital letters such as EUR.", field)
    return value


def checked_number(value: int, lowest: int, highest: int, field: str) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise InvalidError(f"{field} must be a whole number from {lowest} to {highest}.", field)
    return value


def is_too_deep(value: Any) -> bool:
    """Whether a value has more levels of lists and objects in one another than we take."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return False
    return any(isinstance(one, Mapping | list | tuple) for one in level)


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def checked_json(value: Any, largest: int, field: str) -> Any:
    """Values that are JSON, of at most so many bytes, also where the digits of each number are written out."""
    if is_too_deep(value):
        raise InvalidError(
            f"The {field} has more than {MOST_LEVELS} levels of lists and objects in one another.", field
        )
    try:
        written = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidError(f"The {field} are no JSON: {error}.", field) from error
    if _has_huge(value):
        raise InvalidError(f"A number in the {field} has more than 308 digits: write it as text.", field)
    whole = json.dumps(value, ensure_ascii=False)
    if plain_text(whole) != whole:
        raise InvalidError(f"There is half a character (a lone surrogate) in the {field}: take it out.", field)
    if len(written) + _folded(value) > largest or "\\u0000" in written:
        raise InvalidError(f"The {field} exceed {largest} bytes or hold a NUL character: make them smaller.", field)
    return value


def _has_huge(value: Any) -> bool:
    """Whether a whole number in it is larger than any number with a point can be: many programs cannot read it."""
    if isinstance(value, dict):
        return any(map(_has_huge, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_huge, value))
    return isinstance(value, int) and abs(value) > _HUGE


def _folded(value: Any) -> int:
    """How many digits more its numbers have than were written: the database gives them back without exponents."""
    if isinstance(value, float):
        text = repr(value)
        return len(format(Decimal(text), "f")) - len(text) if "e" in text else 0
    return sum(map(_folded, _within(value)))
