"""Holding money before a call and booking it afterwards: every scope's row is locked in id order, then decided on.

`Books` is what one transaction sees of the budgets that it touches. A group of acts shares it: each is decided on what
those before it left, and all changes are written with one statement.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents.gate import Action, ActionKind, Settlement
from foundation.batches import Batch, Cursor
from foundation.ids import uuid7
from governance.budgets.assumed import Assumed, Place, ask, places_here
from governance.budgets.held import NOTHING, Hold, held_here
from governance.budgets.payers import Payer, payers_of
from governance.budgets.statements import (
    ALL_SETTLED,
    BOOKED,
    HELD,
    HELD_BY_OTHERS,
    LINEAGE,
    LOCKED,
    LOCKED_ROWS,
    MOVED,
    OPENED,
    ROLL_OVER,
    SETTLED,
)

_ENOUGH = 2**62  # micro-units, taken for free as long as nobody has looked


@dataclass(slots=True)
class _Row:
    id: str
    scope: str
    scope_id: str
    currency: str
    free: int
    overrun: int
    is_past: bool
    pays: bool = True
    reserved: int = 0
    reserved_more: int = 0
    settled_more: int = 0
    overrun_more: int = 0

    def move(self, *, reserved: int = 0, settled: int = 0, overrun: int = 0) -> None:
        """Keep the row as the database will have it."""
        self.reserved_more += reserved
        self.settled_more += settled
        self.overrun_more += overrun
        self.free -= reserved + settled
        self.overrun += overrun


@dataclass(slots=True)
class Books:
    """The budgets that a transaction has locked, and what it will write to them; ids are texts, as rows have them."""

    rows: dict[str, _Row] = field(default_factory=dict)
    scopes: dict[str, list[_Row]] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    parameters: dict[str, list[Any]] = field(default_factory=dict)
    newly_opened: list[tuple[dict[str, Any], _Row]] = field(default_factory=list)
    new_holds: list[dict[str, Any]] = field(default_factory=list)
    settled: list[dict[str, Any]] = field(default_factory=list)
    booked: list[dict[str, Any]] = field(default_factory=list)
    looked_at: list[Payer] = field(default_factory=list)
    _lineages: dict[UUID, tuple[UUID, ...]] = field(default_factory=dict)

    @classmethod
    def wanted(cls, cursor: Cursor, actions: Sequence[Action], settlements: Sequence[Settlement]) -> "Books":
        """What these acts and outcomes need, not yet locked: `parameters` are those of LOCKED."""
        books = cls()
        books.holds = _holds(cursor, settlements)
        paid = [action for action in actions if _is_paid(action) or action.kind is ActionKind.RUN_START]
        payers = list({one: None for action in paid for one in books._payers(action, cursor)})
        books.parameters = {
            "organisations": [one.organisation for one in payers],
            "kinds": [one.kind for one in payers],
            "scopes": [one.scope for one in payers],
            "ids": list({one: None for hold in books.holds.values() for one in hold.budgets}),
        }
        return books

    @classmethod
    def assumed(cls, actions: Sequence[Action], settlements: Sequence[Settlement]) -> "Books | None":
        """Books that were not looked into: what they say holds if `ask` finds it so. None if too little is known.

        Whatever is free is taken for enough.
        """
        books = cls()
        holds = {one.decision: held_here.find(one.decision) for one in settlements}
        books.holds = {decision: hold for decision, hold in holds.items() if hold is not None}
        paid = list(filter(_is_paid, actions))
        # Without a lineage the budgets of teams above would go unasked: `wanted` looks for them.
        if len(books.holds) < len(settlements) or not all(action.lineage for action in paid):
            return None
        opened = {str(action.run) for action in actions if action.kind is ActionKind.RUN_START}
        payers = (payer for action in paid for payer in books._payers(action) if payer.scope not in opened)
        if not all(payer.scope in books.scopes or books._assume(payer) for payer in payers):
            return None
        for hold in books.holds.values():
            for one in hold.budgets:
                if one not in books.rows:
                    books.rows[one] = _Row(one, "", one, hold.currency, _ENOUGH, 0, is_past=False, pays=False)
        return books

    def _assume(self, payer: Payer) -> bool:
        """Take what is remembered of a payer's budgets; false if nobody has looked yet."""
        if (places := places_here.find(payer.scope)) is None:
            return False
        rows = [_Row(one.id, one.scope, payer.scope, one.currency, _ENOUGH, 0, is_past=False) for one in places]
        self.scopes[payer.scope] = rows
        for row in rows:
            self.rows[row.id] = row
        if payer.kind != "run":
            self.looked_at.append(payer)
        return True

    def ask(self, batch: Batch) -> None:
        """Have the statement find out whether what was assumed is so."""
        ask(batch, self.looked_at, [
            Assumed(row.id, row.reserved_more + row.settled_more, row.pays, row.currency) for row in self.rows.values()
        ])  # fmt: skip

    @classmethod
    def opened(cls, cursor: Cursor, actions: Sequence[Action], settlements: Sequence[Settlement]) -> "Books":
        """Lock all that these acts and outcomes need."""
        books = cls.wanted(cursor, actions, settlements)
        cursor.execute(f"WITH {LOCKED} SELECT {LOCKED_ROWS}", books.parameters)
        books.lock(cursor, cursor.fetchone()[0])
        return books

    def lock(self, cursor: Cursor, found: Any) -> None:
        """Take in what LOCKED_ROWS said; begin the month where it has not begun."""
        self._take_in(found)
        if any(row.is_past and row.pays for row in self.rows.values()):
            cursor.execute(ROLL_OVER, self.parameters)
            cursor.execute(f"WITH {LOCKED} SELECT {LOCKED_ROWS}", self.parameters)
            self._take_in(cursor.fetchone()[0])

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to lock."""
        return bool(self.parameters["scopes"] or self.parameters["ids"])

    def open_run(self, action: Action) -> None:
        """The budget of a run that was admitted; opening it twice is opening it once."""
        scope = str(action.run)
        if any(row.scope == "run" for row in self.scopes.get(scope, ())):
            return
        row = _Row(str(uuid7()), "run", scope, action.currency, action.run_budget, 0, is_past=False)
        self.scopes[scope] = [row]
        opened = {"id": row.id, "organisation_id": action.organisation, "scope_id": scope,
                  "target_id": action.agent, "currency": action.currency, "limit": action.run_budget}  # fmt: skip
        self.newly_opened.append((opened, row))
        places_here.keep(scope, (Place(row.id, row.scope, row.currency),))

    def reserve(self, action: Action) -> str:
        """Hold an act's upper bound in every scope; empty, or why it does not fit. Refuses what it does not know."""
        if action.estimate is None:
            return f"There is no price for {action.target} in {action.currency}: set one in the catalogue."
        if not _is_paid(action):
            held_here.keep(action.decision, NOTHING)
            return ""
        estimate, currency, payers = action.estimate, action.currency, self._payers(action)
        rows = [row for payer in payers for row in self.scopes.get(payer.scope, ())]
        # Almost always nothing is wrong; what it is, is asked only then.
        if not (
            all(self.scopes.get(payer.scope) for payer in payers if payer.must)
            and all(
                row.free >= estimate and not row.overrun and not row.is_past and row.currency == currency
                for row in rows
            )
        ) and (refusal := _refusal(rows, action)):
            return refusal
        for row in rows:
            row.reserved_more += estimate
            row.free -= estimate
        hold = Hold(estimate, tuple([row.id for row in rows]), currency)
        self.holds[action.decision] = hold
        held_here.keep(action.decision, hold)
        self.new_holds.append(
            {"id": action.decision, "organisation_id": action.organisation, "run_id": action.run,
             "budgets": hold.budgets, "amount": hold.amount, "currency": hold.currency}
        )  # fmt: skip
        self._book(action.organisation, action.run, action.decision, "reserve", hold.amount, hold.currency)
        return ""

    def is_held(self, action: Action) -> bool:
        """Whether an act would fit if the calls in flight turned out to cost nothing; what is closed stays closed."""
        rows = [row for payer in self._payers(action) for row in self.scopes.get(payer.scope, ())]
        return all(
            not row.overrun and row.free + row.reserved + row.reserved_more >= (action.estimate or 0) for row in rows
        )

    def scarce(self, action: Action) -> UUID | None:
        """The organisation, team or agent of which more money would help: None if something else is wrong too."""
        rows = [row for payer in self._payers(action) for row in self.scopes.get(payer.scope, ())]
        needed = map(str, (action.organisation, action.agent, action.run, *action.line))
        missing = set(needed) - {row.scope_id for row in rows}
        short = [row for row in rows if row.overrun or row.free < (action.estimate or 0)]
        if missing or not short or any(row.scope == "run" for row in short):
            return None
        if any(row.currency != action.currency or row.is_past for row in rows):
            return None
        return UUID(min(short, key=lambda row: row.free).scope_id)

    def settle(self, settlement: Settlement) -> int:
        """Book an act's cost and release the rest; the amount booked. What exceeds the amount held is an overrun."""
        hold = self.holds.pop(settlement.decision, None)
        if hold is None or hold is NOTHING:
            # What nobody holds is in no ledger: a run that counted it would have cost more than was paid.
            return 0
        # Nobody knows what it cost, and it was not less than nothing: what was held is booked until it is reconciled.
        cost = hold.amount if settlement.cost is None or settlement.cost < 0 else settlement.cost
        booked = min(cost, hold.amount) if settlement.sent else 0
        over = max(cost - hold.amount, 0) if settlement.sent else 0
        for one in hold.budgets:
            self.rows[one].move(reserved=-hold.amount, settled=booked, overrun=over)
        state = "settled" if settlement.sent else "released"
        self.settled.append({"id": settlement.decision, "state": state, "settled": booked + over})
        place = settlement.organisation, settlement.run, settlement.decision
        self._book(*place, "settle" if settlement.sent else "release", booked, hold.currency)
        if over:
            self._book(*place, "overrun", over, hold.currency)
        return booked + over

    def write(self, batch: Batch) -> None:
        """Gather all that was decided."""
        moved = [row for row in self.rows.values() if row.reserved_more or row.settled_more or row.overrun_more]
        batch.add("opened", OPENED, [one | _sums(row) for one, row in self.newly_opened])
        batch.add("moved", MOVED, [{"id": row.id} | _sums(row) for row in moved])
        batch.add("holds", HELD, self.new_holds)
        batch.add("settled", SETTLED, self.settled)
        batch.add("booked", BOOKED, self.booked)
        if self.settled:
            batch.answer("all settled", ALL_SETTLED)

    def _take_in(self, found: Any) -> None:
        self.rows, self.scopes = {}, {}
        for identifier, scope, scope_id, currency, free, overrun, is_past, pays, reserved in _plain(found) or ():
            row = _Row(identifier, scope, scope_id, currency, free, overrun, is_past, pays, reserved)
            self.rows[row.id] = row
            if pays:
                self.scopes.setdefault(row.scope_id, []).append(row)
        for scope in self.parameters["scopes"]:
            rows = self.scopes.get(scope, ())
            places_here.keep(scope, tuple(Place(row.id, row.scope, row.currency) for row in rows))

    def _payers(self, action: Action, cursor: Cursor | None = None) -> tuple[Payer, ...]:
        """Whatever pays for an act. Without a lineage of its own the database is asked for it once, with `cursor`."""
        if action.lineage:
            return payers_of(action, action.lineage)
        if action.agent not in self._lineages and cursor is not None:
            self._lineages[action.agent] = _lineage(cursor, action)
        return payers_of(action, self._lineages.get(action.agent, ()))

    def _book(self, organisation: UUID, run: UUID, decision: UUID, kind: str, amount: int, currency: str) -> None:
        self.booked.append(
            {"id": uuid7(), "organisation_id": organisation, "run_id": run, "decision_id": decision, "kind": kind,
             "amount": amount, "currency": currency}
        )  # fmt: skip


def open_run_budget(cursor: Cursor, action: Action) -> None:
    """Open a run's budget by itself."""
    books = Books.opened(cursor, [action], [])
    books.open_run(action)
    _flush(cursor, books)


def reserve(cursor: Cursor, action: Action) -> str:
    """Hold one act's upper bound by itself; empty, or why it does not fit."""
    books = Books.opened(cursor, [action], [])
    refusal = books.reserve(action)
    _flush(cursor, books)
    return refusal


def settle(cursor: Cursor, settlement: Settlement) -> int:
    """Book one act's cost by itself; the amount booked."""
    books = Books.opened(cursor, [], [settlement])
    booked = books.settle(settlement)
    _flush(cursor, books)
    return booked


def _flush(cursor: Cursor, books: Books) -> None:
    batch = Batch(cursor)
    books.write(batch)
    batch.flush()


def _plain(value: Any) -> Any:
    # Django's cursors give JSON as text, psycopg's as values.
    return json.loads(value) if isinstance(value, str) else value


def _is_paid(action: Action) -> bool:
    if action.stubbed:
        return False
    return action.estimate is not None and (action.estimate > 0 or action.kind is ActionKind.MODEL_CALL)


def _holds(cursor: Cursor, settlements: Sequence[Settlement]) -> dict[UUID, Hold]:
    decisions = [settlement.decision for settlement in settlements]
    holds = {one: hold for one in decisions if (hold := held_here.take(one)) is not None}
    if unknown := [one for one in decisions if one not in holds]:
        cursor.execute(HELD_BY_OTHERS, (unknown,))
        for decision, amount, budgets, currency in cursor.fetchall():
            holds[decision] = Hold(amount, tuple(_plain(budgets)), currency)
    return holds


def _lineage(cursor: Cursor, action: Action) -> tuple[UUID, ...]:
    cursor.execute(LINEAGE, (action.agent, action.organisation))
    row = cursor.fetchone()
    return tuple(row[0]) if row else ()


def _sums(row: _Row) -> dict[str, int]:
    return {"reserved": row.reserved_more, "settled": row.settled_more, "overrun": row.overrun_more}


def _refusal(rows: Sequence[_Row], action: Action) -> str:
    found = {row.scope_id for row in rows}
    for name, scope_id in (("organisation", action.organisation), ("agent", action.agent), ("run", action.run)):
        if str(scope_id) not in found:
            return f"The {name} has no budget for this period: set one under Costs."
    if any(str(above) not in found for above in action.line):
        return "A run above this one has no budget."
    for row in rows:
        if row.currency != action.currency:
            return f"The budget of the {row.scope} is in {row.currency}, the price in {action.currency}."
        if row.is_past:
            return f"The budget of the {row.scope} is of a month gone by."
        if row.overrun:
            return (
                f"The budget of the {row.scope} was exceeded by {_money(row.overrun)} {row.currency}, and is closed "
                "until a person sets it anew under Costs."
            )
    short = [row for row in rows if row.free < (action.estimate or 0)]
    if not short:
        return ""
    tightest = min(short, key=lambda row: row.free)
    return (
        f"The budget of the {tightest.scope} has {_money(max(tightest.free, 0))} {action.currency} left, and this may "
        f"cost up to {_money(action.estimate or 0)} {action.currency}."
    )


def _money(micros: int) -> str:
    return f"{micros / 1_000_000:.6f}".rstrip("0").ljust(4, "0")
