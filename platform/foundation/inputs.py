"""What services check of plain inputs before they write anything; each answers with one clear line."""

import json
import re
from typing import Any
from uuid import UUID

from foundation.actors import Actor, ActorKind
from foundation.audit.plain import plain_text
from foundation.errors import InvalidError

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


_HUGE = 10**308


def checked_json(value: Any, largest: int, field: str) -> Any:
    """Values that are JSON, of at most so many bytes."""
    try:
        written = json.dumps(value, allow_nan=False)
        has_huge = _has_huge(value)
    except (TypeError, ValueError) as error:
        raise InvalidError(f"The {field} are no JSON: {error}.", field) from error
    except RecursionError:
        raise InvalidError(f"The {field} are nested too deeply: make them flatter.", field) from None
    if has_huge:
        raise InvalidError(f"A number in the {field} has more than 308 digits: write it as text.", field)
    whole = json.dumps(value, ensure_ascii=False)
    if plain_text(whole) != whole:
        raise InvalidError(f"There is half a character (a lone surrogate) in the {field}: take it out.", field)
    if len(written) > largest or "\\u0000" in written:
        raise InvalidError(f"The {field} exceed {largest} bytes or hold a NUL character: make them smaller.", field)
    return value


def _has_huge(value: Any) -> bool:
    """Whether a whole number in it is larger than any number with a point can be: many programs cannot read it."""
    if isinstance(value, dict):
        return any(map(_has_huge, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_huge, value))
    return isinstance(value, int) and abs(value) > _HUGE
