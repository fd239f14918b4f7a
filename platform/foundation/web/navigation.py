"""The shell's values: what the sidebar, the top bar and the phone's bar show. The console fills them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation. `keys` is the sequence that opens it, such as `g h`; empty where there is none."""

    name: str
    label: str
    url: str
    icon: str
    keys: str
    count: int = 0
    on_phone: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under one heading; the first group has none."""

    label: str
    places: Sequence[Place]


@dataclass(frozen=True, slots=True)
class Shell:
    """Who looks, where, and what there is. `current` is the name of the place that the page belongs to."""

    organisation: str
    person: str
    person_id: str
    role: str
    groups: Sequence[Group]
    sign_out_url: str
    environment: str = ""
    search_url: str = "/search"
    others: Sequence[tuple[str, str]] = field(default=())
    more: Sequence[Place] = field(default=())  # places below others: in the palette, not in the sidebar
    switch_url: str = ""

    @property
    def phone(self) -> list[Place]:
        """The entries of the phone's bar, at most four; search is the fifth."""
        return [place for group in self.groups for place in group.places if place.on_phone][:4]
