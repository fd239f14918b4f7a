"""Holding money before a call and booking it afterwards: conditional SQL over all scopes, locked in id order."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from agents.gate import Action, ActionKind, Cursor, Settlement
from foundation.ids import uuid7

# Of a monthly budget the latest row counts; if it is of a month gone by, this month's has to be made first.
_LOCK = """
SELECT id, scope, scope_id, currency, "limit" - settled - reserved AS free, overrun,
    period = 'month' AND starts_at < date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
FROM budgets_budget b
WHERE organisation_id = %(organisation)s AND scope_id = ANY(%(scopes)s) AND (period = 'total' OR starts_at = (
    SELECT max(latest.starts_at) FROM budgets_budget latest WHERE latest.organisation_id = b.organisation_id
        AND latest.scope = b.scope AND latest.scope_id = b.scope_id AND latest.period = 'month'
        AND latest.starts_at <= clock_timestamp()))
ORDER BY id FOR UPDATE
"""

_ROLL_OVER = """
INSERT INTO budgets_budget (id, organisation_id, scope, scope_id, target_id, period, starts_at, currency, "limit",
    settled, reserved, overrun)
SELECT gen_random_uuid(), organisation_id, scope, scope_id, target_id, period,
    date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', currency, "limit", 0, 0, 0
FROM (SELECT DISTINCT ON (scope, scope_id) * FROM budgets_budget
      WHERE organisation_id = %(organisation)s AND scope_id = ANY(%(scopes)s) AND period = 'month'
          AND starts_at <= clock_timestamp()
      ORDER BY scope, scope_id, starts_at DESC) AS latest
ON CONFLICT ON CONSTRAINT budget_once DO NOTHING
"""

_LINEAGE = "SELECT lineage FROM organisations_granttarget WHERE id = %s AND organisation_id = %s"


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    scope: str
    scope_id: UUID
    currency: str
    free: int
    overrun: int
    is_past: bool


def open_run_budget(cursor: Cursor, action: Action) -> None:
    """The budget of a run that was admitted; opening it twice is opening it once."""
    cursor.execute(
        "INSERT INTO budgets_budget (id, organisation_id, scope, scope_id, target_id, period, starts_at, currency, "
        '"limit", settled, reserved, overrun) '
        "VALUES (%s, %s, 'run', %s, %s, 'total', to_timestamp(0), %s, %s, 0, 0, 0) "
        "ON CONFLICT ON CONSTRAINT budget_once DO NOTHING",
        (uuid7(), action.organisation, action.run, action.agent, action.currency, action.run_budget),
    )


def reserve(cursor: Cursor, action: Action) -> str:
    """Hold an act's upper bound in every scope; empty, or why it does not fit. Refuses what it does not know."""
    if action.estimate is None:
        return f"There is no price for {action.target} in {action.currency}: set one in the catalogue."
    if action.estimate == 0 and action.kind is not ActionKind.MODEL_CALL:
        return ""
    rows = _lock(cursor, action)
    if refusal := _refusal(rows, action):
        return refusal
    ids = [row.id for row in rows]
    cursor.execute("UPDATE budgets_budget SET reserved = reserved + %s WHERE id = ANY(%s)", (action.estimate, ids))
    cursor.execute(
        "INSERT INTO budgets_reservation (id, organisation_id, run_id, budgets, amount, currency, state) "
        "VALUES (%s, %s, %s, %s, %s, %s, 'held')",
        (action.decision, action.organisation, action.run, json.dumps([str(one) for one in ids]), action.estimate,
         action.currency),
    )  # fmt: skip
    _book(cursor, action.organisation, action.run, action.decision, [("reserve", action.estimate)], action.currency)
    return ""


def settle(cursor: Cursor, settlement: Settlement) -> int:
    """Book an act's cost and release the rest; the amount booked. What exceeds the amount held is an overrun."""
    cursor.execute(
        "SELECT amount, budgets, currency FROM budgets_reservation WHERE id = %s AND state = 'held' FOR UPDATE",
        (settlement.decision,),
    )
    row = cursor.fetchone()
    if row is None:
        return settlement.cost or 0
    amount, budgets, currency = row
    # Nobody knows what it cost: what was held is booked until it is reconciled.
    cost = amount if settlement.cost is None else settlement.cost
    booked = min(cost, amount) if settlement.sent else 0
    over = max(cost - amount, 0) if settlement.sent else 0
    ids = [UUID(one) for one in (json.loads(budgets) if isinstance(budgets, str) else budgets)]
    cursor.execute("SELECT id FROM budgets_budget WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (ids,))
    cursor.execute(
        "UPDATE budgets_budget SET reserved = reserved - %s, settled = settled + %s, overrun = overrun + %s "
        "WHERE id = ANY(%s)",
        (amount, booked, over, ids),
    )
    cursor.execute(
        "UPDATE budgets_reservation SET state = %s, settled = %s, settled_at = clock_timestamp() WHERE id = %s",
        ("settled" if settlement.sent else "released", booked + over, settlement.decision),
    )
    movements = [("settle" if settlement.sent else "release", booked), *([("overrun", over)] if over else [])]
    _book(cursor, settlement.organisation, settlement.run, settlement.decision, movements, currency)
    return booked + over


def _lock(cursor: Cursor, action: Action) -> list[_Row]:
    values = {"organisation": action.organisation, "scopes": _scopes(cursor, action)}
    cursor.execute(_LOCK, values)
    rows = [_Row(*row) for row in cursor.fetchall()]
    if any(row.is_past for row in rows):
        cursor.execute(_ROLL_OVER, values)
        cursor.execute(_LOCK, values)
        rows = [_Row(*row) for row in cursor.fetchall()]
    return rows


def _scopes(cursor: Cursor, action: Action) -> list[UUID]:
    """Whatever pays: the agent, its team and all teams above it, the organisation, the run and the runs above it."""
    cursor.execute(_LINEAGE, (action.agent, action.organisation))
    row = cursor.fetchone()
    above = list(row[0]) if row else []
    team = [action.team] if action.team else []
    return list(dict.fromkeys([action.organisation, action.agent, *team, *above, action.run, *action.line]))


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


def _book(
    cursor: Cursor, organisation: UUID, run: UUID, decision: UUID, movements: Sequence[tuple[str, int]], currency: str
) -> None:  # fmt: skip
    for kind, amount in movements:
        cursor.execute(
            "INSERT INTO budgets_ledgerentry (id, organisation_id, run_id, decision_id, kind, amount, currency, at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
            (uuid7(), organisation, run, decision, kind, amount, currency),
        )
