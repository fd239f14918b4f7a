"""What this process holds: it saves the settlement a look at a row that nobody else settles.

It is a copy, never the truth: the row is settled only if it is still held, and after an error the copy is forgotten.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount held in the budgets with these ids."""

    amount: int
    budgets: tuple[str, ...]
    currency: str


NOTHING = Hold(0, (), "")  # what costs nothing holds nothing, and need not be looked for


class HeldHere:
    """The holds that this process has made, by decision."""

    def __init__(self) -> None:
        self._holds: OrderedDict[UUID, Hold] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, decision: UUID, hold: Hold) -> None:
        """Remember a hold."""
        with self._lock:
            self._holds[decision] = hold
            while len(self._holds) > _KEPT:
                self._holds.popitem(last=False)

    def find(self, decision: UUID) -> Hold | None:
        """A hold, which is kept."""
        return self._holds.get(decision)

    def take(self, decision: UUID) -> Hold | None:
        """A hold, which is then forgotten."""
        with self._lock:
            return self._holds.pop(decision, None)


held_here = HeldHere()
