"""What a directory says of a person, in our words."""

from typing import Any

from scim2_models import Resource

from foundation.inputs import checked_json, checked_optional, checked_text
from foundation.provisioning.schemas import User

_LONGEST_NAME = 160
_LARGEST = 16_384  # bytes of attributes
_OURS = {"id", "meta", "schemas", "groups", "members"}


def name_of(user: User) -> str:
    """The name that is shown: the best of those that the directory gives."""
    parts = user.name
    whole = " ".join(part for part in (parts.given_name, parts.family_name) if part) if parts else ""
    given = [user.display_name, parts.formatted if parts else None, whole, user.user_name]
    found = next((name for name in given if name and name.strip()), "")
    return checked_text(found[:_LONGEST_NAME], _LONGEST_NAME, "displayName")


def address_of(user: User) -> str:
    """What the person signs in with: the primary address, the first, a user name that looks like one, or nothing."""
    given = [one for one in user.emails or [] if one.value]
    chosen = next((one for one in given if one.primary), given[0] if given else None)
    if chosen is not None:
        return str(chosen.value).lower()
    name = (user.user_name or "").strip().lower()
    return name if "@" in name else ""


def user_name_of(user: User) -> str:
    """What the directory calls the person. Raises InvalidError for nothing."""
    return checked_text(user.user_name or "", 254, "userName")


def external_id_of(resource: Resource[Any]) -> str:
    """What the directory calls it; may be empty."""
    return checked_optional(resource.external_id or "", 255, "externalId")


def attributes_of(resource: Resource[Any]) -> dict[str, Any]:
    """What is kept as it was written, without what has a place of its own."""
    written: dict[str, Any] = resource.model_dump(mode="json")
    kept = {name: value for name, value in written.items() if name not in _OURS}
    held: dict[str, Any] = checked_json(kept, _LARGEST, "attributes")
    return held
