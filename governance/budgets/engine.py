"""Holding money before a call and booking it afterwards: every scope's row is locked in id order, then decided on.

`Books` is what one transaction sees of the budgets that it touches. A group of acts shares it: each is decided on what
those before it left, and all changes are written with one statement.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents.gate import Action, ActionKind, Cursor, Settlement
from foundation.ids import uuid7
from governance.budgets.held import Hold, held_here

# Of a monthly budget the latest row counts; if it is of a month gone by, this month's has to be made first.
_LOCK = """
WITH wanted AS MATERIALIZED (
    SELECT b.id FROM unnest(%(organisations)s::uuid[], %(kinds)s::text[], %(scopes)s::uuid[]) AS g(o, k, s)
    JOIN budgets_budget b ON b.organisation_id = g.o AND b.scope = g.k AND b.scope_id = g.s
        AND (b.period = 'total' OR b.starts_at = (
            SELECT max(m.starts_at) FROM budgets_budget m WHERE m.organisation_id = g.o AND m.scope = g.k
                AND m.scope_id = g.s AND m.period = 'month' AND m.starts_at <= clock_timestamp()))
    UNION SELECT unnest(%(ids)s::uuid[])
)
SELECT id, scope, scope_id, currency, "limit" - settled - reserved, overrun,
    period = 'month' AND starts_at < date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
FROM budgets_budget WHERE id IN (SELECT id FROM wanted) ORDER BY id FOR UPDATE
"""

_ROLL_OVER = """
INSERT INTO budgets_budget (id, organisation_id, scope, scope_id, target_id, period, starts_at, currency, "limit",
    settled, reserved, overrun)
SELECT gen_random_uuid(), organisation_id, scope, scope_id, target_id, period,
    date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', currency, "limit", 0, 0, 0
FROM (SELECT DISTINCT ON (b.scope, b.scope_id) b.*
      FROM unnest(%(organisations)s::uuid[], %(kinds)s::text[], %(scopes)s::uuid[]) AS g(o, k, s)
      JOIN budgets_budget b ON b.organisation_id = g.o AND b.scope = g.k AND b.scope_id = g.s
      WHERE period = 'month' AND starts_at <= clock_timestamp()
      ORDER BY b.scope, b.scope_id, starts_at DESC) AS latest
ON CONFLICT ON CONSTRAINT budget_once DO NOTHING
"""

_LINEAGE = "SELECT lineage FROM organisations_granttarget WHERE id = %s AND organisation_id = %s"

_HELD = """
SELECT id, amount, budgets, currency FROM budgets_reservation WHERE id = ANY(%s) AND state = 'held' ORDER BY id
FOR UPDATE
"""

# The last line refuses when a reservation was settled by somebody else: nothing is then written at all.
_WRITE = """
WITH given AS MATERIALIZED (SELECT %(rows)s::json AS rows),
opened AS (INSERT INTO budgets_budget (id, organisation_id, scope, scope_id, target_id, period, starts_at, currency,
    "limit", settled, reserved, overrun)
    SELECT id, organisation_id, 'run', scope_id, target_id, 'total', to_timestamp(0), currency, "limit", settled,
        reserved, overrun
    FROM given, json_to_recordset(rows->'opened') AS x(id uuid, organisation_id uuid, scope_id uuid, target_id uuid,
        currency text, "limit" bigint, settled bigint, reserved bigint, overrun bigint)),
moved AS (UPDATE budgets_budget b SET reserved = b.reserved + x.reserved, settled = b.settled + x.settled,
    overrun = b.overrun + x.overrun
    FROM given, json_to_recordset(rows->'moved') AS x(id uuid, reserved bigint, settled bigint, overrun bigint)
    WHERE b.id = x.id),
held AS (INSERT INTO budgets_reservation (id, organisation_id, run_id, budgets, amount, currency, state)
    SELECT id, organisation_id, run_id, budgets, amount, currency, 'held'
    FROM given, json_to_recordset(rows->'held') AS x(id uuid, organisation_id uuid, run_id uuid, budgets jsonb,
        amount bigint, currency text)),
settled AS (UPDATE budgets_reservation r SET state = x.state, settled = x.settled, settled_at = clock_timestamp()
    FROM given, json_to_recordset(rows->'settled') AS x(id uuid, state text, settled bigint)
    WHERE r.id = x.id AND r.state = 'held' RETURNING r.id),
booked AS (INSERT INTO budgets_ledgerentry (id, organisation_id, run_id, decision_id, kind, amount, currency, at)
    SELECT id, organisation_id, run_id, decision_id, kind, amount, currency, clock_timestamp()
    FROM given, json_to_recordset(rows->'booked') AS x(id uuid, organisation_id uuid, run_id uuid, decision_id uuid,
        kind text, amount bigint, currency text))
SELECT 1 / ((SELECT count(*) FROM settled) = json_array_length(rows->'settled'))::int FROM given
"""


@dataclass(slots=True)
class _Row:
    id: UUID
    scope: str
    scope_id: UUID
    currency: str
    free: int
    overrun: int
    is_past: bool
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
    """The budgets that a transaction has locked, and what it will write to them."""

    rows: dict[UUID, _Row] = field(default_factory=dict)
    scopes: dict[UUID, list[_Row]] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    written: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"opened": [], "held": [], "settled": [], "booked": []}
    )
    _lineages: dict[UUID, tuple[UUID, ...]] = field(default_factory=dict)

    @classmethod
    def opened(cls, cursor: Cursor, actions: Sequence[Action], settlements: Sequence[Settlement]) -> "Books":
        """Lock all that these acts and outcomes need."""
        books = cls()
        books.holds = _holds(cursor, settlements)
        paid = [action for action in actions if _is_paid(action) or action.kind is ActionKind.RUN_START]
        if not paid and not books.holds:
            return books
        wanted = {key: None for action in paid for key in books._keys(cursor, action)}
        values = {
            "organisations": [organisation for organisation, _, _ in wanted],
            "kinds": [kind for _, kind, _ in wanted],
            "scopes": [scope for _, _, scope in wanted],
            "ids": list({one: None for hold in books.holds.values() for one in hold.budgets}),
        }
        books._read(cursor, values)
        if any(row.is_past for rows in books.scopes.values() for row in rows if row.scope != "run"):
            cursor.execute(_ROLL_OVER, values)
            books._read(cursor, values)
        return books

    def open_run(self, action: Action) -> None:
        """The budget of a run that was admitted; opening it twice is opening it once."""
        if any(row.scope == "run" for row in self.scopes.get(action.run, ())):
            return
        row = _Row(uuid7(), "run", action.run, action.currency, action.run_budget, 0, is_past=False)
        self.scopes[action.run] = [row]
        self.written["opened"].append(
            {"id": str(row.id), "organisation_id": str(action.organisation), "scope_id": str(action.run),
             "target_id": str(action.agent), "currency": action.currency, "limit": action.run_budget, "row": row}
        )  # fmt: skip

    def reserve(self, action: Action) -> str:
        """Hold an act's upper bound in every scope; empty, or why it does not fit. Refuses what it does not know."""
        if action.estimate is None:
            return f"There is no price for {action.target} in {action.currency}: set one in the catalogue."
        if not _is_paid(action):
            return ""
        rows = [row for scope in self._scopes(action) for row in self.scopes.get(scope, ())]
        if refusal := _refusal(rows, action):
            return refusal
        for row in rows:
            row.move(reserved=action.estimate)
        hold = Hold(action.estimate, tuple(row.id for row in rows), action.currency)
        self.holds[action.decision] = hold
        held_here.keep(action.decision, hold)
        self.written["held"].append(
            {"id": str(action.decision), "organisation_id": str(action.organisation), "run_id": str(action.run),
             "budgets": [str(one) for one in hold.budgets], "amount": hold.amount, "currency": hold.currency}
        )  # fmt: skip
        self._book(action.organisation, action.run, action.decision, "reserve", hold.amount, hold.currency)
        return ""

    def settle(self, settlement: Settlement) -> int:
        """Book an act's cost and release the rest; the amount booked. What exceeds the amount held is an overrun."""
        hold = self.holds.pop(settlement.decision, None)
        if hold is None:
            return settlement.cost or 0
        # Nobody knows what it cost: what was held is booked until it is reconciled.
        cost = hold.amount if settlement.cost is None else settlement.cost
        booked = min(cost, hold.amount) if settlement.sent else 0
        over = max(cost - hold.amount, 0) if settlement.sent else 0
        for one in hold.budgets:
            self.rows[one].move(reserved=-hold.amount, settled=booked, overrun=over)
        state = "settled" if settlement.sent else "released"
        self.written["settled"].append({"id": str(settlement.decision), "state": state, "settled": booked + over})
        place = settlement.organisation, settlement.run, settlement.decision
        self._book(*place, "settle" if settlement.sent else "release", booked, hold.currency)
        if over:
            self._book(*place, "overrun", over, hold.currency)
        return booked + over

    def write(self, cursor: Cursor) -> None:
        """Write all that was decided, with one statement."""
        moved = [row for row in self.rows.values() if row.reserved_more or row.settled_more or row.overrun_more]
        if not moved and not any(self.written.values()):
            return
        opened = [one | _sums(one.pop("row")) for one in self.written["opened"]]
        rows = self.written | {"opened": opened, "moved": [{"id": str(row.id)} | _sums(row) for row in moved]}
        cursor.execute(_WRITE, {"rows": json.dumps(rows)})

    def _read(self, cursor: Cursor, values: dict[str, Any]) -> None:
        cursor.execute(_LOCK, values)
        wanted = set(values["scopes"])
        self.rows, self.scopes = {}, {}
        for found in cursor.fetchall():
            row = _Row(*found)
            self.rows[row.id] = row
            if row.scope_id in wanted:
                self.scopes.setdefault(row.scope_id, []).append(row)

    def _keys(self, cursor: Cursor, action: Action) -> Iterable[tuple[UUID, str, UUID]]:
        if action.agent not in self._lineages:
            self._lineages[action.agent] = action.lineage or _lineage(cursor, action)
        own = {action.organisation: "organisation", action.agent: "agent", action.run: "run"}
        own |= dict.fromkeys(action.line, "run")
        for scope in self._scopes(action):
            yield action.organisation, own.get(scope, "team"), scope

    def _scopes(self, action: Action) -> list[UUID]:
        """Whatever pays: the agent, its team and all teams above it, the organisation, the run and those above it."""
        above = self._lineages.get(action.agent, ())
        team = [action.team] if action.team else []
        return list(dict.fromkeys([action.organisation, action.agent, *team, *above, action.run, *action.line]))

    def _book(self, organisation: UUID, run: UUID, decision: UUID, kind: str, amount: int, currency: str) -> None:
        self.written["booked"].append(
            {"id": str(uuid7()), "organisation_id": str(organisation), "run_id": str(run), "decision_id": str(decision),
             "kind": kind, "amount": amount, "currency": currency}
        )  # fmt: skip


def open_run_budget(cursor: Cursor, action: Action) -> None:
    """Open a run's budget by itself."""
    books = Books.opened(cursor, [action], [])
    books.open_run(action)
    books.write(cursor)


def reserve(cursor: Cursor, action: Action) -> str:
    """Hold one act's upper bound by itself; empty, or why it does not fit."""
    books = Books.opened(cursor, [action], [])
    refusal = books.reserve(action)
    books.write(cursor)
    return refusal


def settle(cursor: Cursor, settlement: Settlement) -> int:
    """Book one act's cost by itself; the amount booked."""
    books = Books.opened(cursor, [], [settlement])
    booked = books.settle(settlement)
    books.write(cursor)
    return booked


def _is_paid(action: Action) -> bool:
    if action.stubbed:
        return False
    return action.estimate is not None and (action.estimate > 0 or action.kind is ActionKind.MODEL_CALL)


def _holds(cursor: Cursor, settlements: Sequence[Settlement]) -> dict[UUID, Hold]:
    decisions = [settlement.decision for settlement in settlements]
    holds = {one: hold for one in decisions if (hold := held_here.take(one)) is not None}
    if unknown := [one for one in decisions if one not in holds]:
        cursor.execute(_HELD, (unknown,))
        for decision, amount, budgets, currency in cursor.fetchall():
            given = json.loads(budgets) if isinstance(budgets, str) else budgets
            holds[decision] = Hold(amount, tuple(UUID(one) for one in given), currency)
    return holds


def _lineage(cursor: Cursor, action: Action) -> tuple[UUID, ...]:
    cursor.execute(_LINEAGE, (action.agent, action.organisation))
    row = cursor.fetchone()
    return tuple(row[0]) if row else ()


def _sums(row: _Row) -> dict[str, int]:
    return {"reserved": row.reserved_more, "settled": row.settled_more, "overrun": row.overrun_more}


def _refusal(rows: Sequence[_Row], action: Action) -> str:
    found = {row.scope_id for row in rows}
    for name, scope_id in (("organisation", action.organisation), ("agent", action.agent), ("run", action.run)):
        if scope_id not in found:
            return f"The {name} has no budget for this period: set one under Costs."
    if any(above not in found for above in action.line):
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
