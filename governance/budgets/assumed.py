"""Assuming that nothing stands against a group of acts: the statement that writes them looks, and refuses them all.

Which budgets pay for what is remembered here, so that they need not be asked for before. It is never the truth: the
statement locks them in id order, and comes to nothing unless they are those, all of them, and hold the money.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from foundation.batches import Batch, few
from governance.budgets.payers import Payer

_KEPT = 20_000  # scopes


@dataclass(frozen=True, slots=True)
class Place:
    """A budget that pays for a scope."""

    id: str
    scope: str
    currency: str


class Places:
    """The budgets of each scope, as far as this process has seen them."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, tuple[Place, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, scope: str, places: tuple[Place, ...]) -> None:
        """Remember what pays for a scope; nothing may do so."""
        with self._lock:
            self._places[scope] = places
            while len(self._places) > _KEPT:
                self._places.popitem(last=False)

    def find(self, scope: str) -> tuple[Place, ...] | None:
        """What pays for a scope; None if nobody has looked yet."""
        return self._places.get(scope)


places_here = Places()


@dataclass(frozen=True, slots=True)
class Assumed:
    """A budget that an act rests on: `need` more than is free refuses, and where it `pays`, whatever closes it."""

    id: str
    need: int
    pays: bool
    currency: str


def ask(batch: Batch, wanted: Iterable[Payer], assumed: Iterable[Assumed]) -> None:
    """Lock budgets in what is written, and refuse all of it unless they are as they are assumed to be.

    `wanted` are the scopes that pay, runs left out.
    """
    rows = [{"id": one.id, "need": one.need, "pays": one.pays, "currency": one.currency} for one in assumed]
    scopes = [{"o": one.organisation, "k": one.kind, "s": one.scope} for one in wanted]
    if rows:
        batch.add("locked", _LOCKED, rows)
        batch.answer("all clear", _ALL_CLEAR)
    if scopes:
        batch.add("wanted", _WANTED, scopes)
        batch.answer("all there", _ALL_THERE)


_LOCKED_GIVEN = few("locked", "id uuid, need bigint, pays bool, currency text")
_LOCKED = f"""
SELECT b.id, x.pays AND b.scope <> 'run' AS is_wanted,
    b."limit" - b.settled - b.reserved >= x.need AND (NOT x.pays OR b.currency = x.currency AND b.overrun = 0
        AND (b.period = 'total' OR b.starts_at >= date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
            AT TIME ZONE 'UTC')) AS is_clear
FROM {_LOCKED_GIVEN} AS x
JOIN budgets_budget b ON b.id = x.id ORDER BY b.id FOR UPDATE OF b
"""  # noqa: S608 - names of ours
_ALL_CLEAR = "1 / (SELECT count(*) FILTER (WHERE is_clear) = json_array_length(:locked) FROM locked)::int"
# As in `statements.LOCKED`. A run has one budget for good; of the others there may be more by now, or a new month's.
_WANTED = """
SELECT b.id FROM json_to_recordset(:wanted) AS g(o uuid, k text, s uuid)
JOIN budgets_budget b ON b.organisation_id = g.o AND b.scope = g.k AND b.scope_id = g.s
    AND (b.period = 'total' OR b.starts_at = (
        SELECT max(m.starts_at) FROM budgets_budget m WHERE m.organisation_id = g.o AND m.scope = g.k
            AND m.scope_id = g.s AND m.period = 'month' AND m.starts_at <= clock_timestamp()))
"""
_ALL_THERE = """
1 / ((SELECT count(*) FROM wanted) = (SELECT count(*) FROM locked WHERE is_wanted)
    AND NOT EXISTS (SELECT FROM wanted WHERE id NOT IN (SELECT id FROM locked WHERE is_wanted)))::int
"""
