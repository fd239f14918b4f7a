"""Labels: what is known of a value's origin. A join only adds doubt and secrecy, never takes them away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any


class Integrity(StrEnum):
    """Whether a value may be believed."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Confidentiality(StrEnum):
    """Who may see a value, from anyone to the fewest."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 - a degree of confidentiality


_ORDER = list(Confidentiality)


@dataclass(frozen=True, slots=True)
class Label:
    """Integrity, confidentiality, and the sources that a value came from."""

    integrity: Integrity = Integrity.TRUSTED
    confidentiality: Confidentiality = Confidentiality.INTERNAL
    sources: frozenset[str] = frozenset()

    def join(self, *others: "Label") -> "Label":
        """What is known of a value made from this one and others."""
        if all(other == self for other in others):
            return self
        labels = (self, *others)
        untrusted = any(label.integrity is Integrity.UNTRUSTED for label in labels)
        return Label(
            Integrity.UNTRUSTED if untrusted else Integrity.TRUSTED,
            max((label.confidentiality for label in labels), key=_ORDER.index),
            frozenset().union(*(label.sources for label in labels)),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values, sources sorted."""
        integrity, confidentiality, sources = _plain(self)
        return {"integrity": integrity, "confidentiality": confidentiality, "sources": list(sources)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Label":
        """The label of `as_json`; whatever is missing or unknown counts as untrusted and secret."""
        try:
            return cls(
                Integrity(value["integrity"]), Confidentiality(value["confidentiality"]), frozenset(value["sources"])
            )
        except (KeyError, ValueError, TypeError):
            return cls(Integrity.UNTRUSTED, Confidentiality.SECRET, frozenset({"unknown"}))


@lru_cache(maxsize=4_096)
def _plain(label: Label) -> tuple[str, str, tuple[str, ...]]:
    return label.integrity.value, label.confidentiality.value, tuple(sorted(label.sources))


def join(labels: Iterable[Label]) -> Label:
    """The join of any number of labels; of none it is trusted and public."""
    return Label(Integrity.TRUSTED, Confidentiality.PUBLIC).join(*labels)
