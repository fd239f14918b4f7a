"""The statements that lock budgets, move their sums, and write what is held and booked."""

from foundation.batches import few

# Of a monthly budget the latest row counts; if it is of a month gone by, this month's has to be made first. Those
# that hold money for calls in flight (`ids`) may be of a month gone by: these are settled there, and no more is paid.
LOCKED = """
paying AS MATERIALIZED (
    SELECT b.id FROM unnest(%(organisations)s::uuid[], %(kinds)s::text[], %(scopes)s::uuid[]) AS g(o, k, s)
    JOIN budgets_budget b ON b.organisation_id = g.o AND b.scope = g.k AND b.scope_id = g.s
        AND (b.period = 'total' OR b.starts_at = (
            SELECT max(m.starts_at) FROM budgets_budget m WHERE m.organisation_id = g.o AND m.scope = g.k
                AND m.scope_id = g.s AND m.period = 'month' AND m.starts_at <= clock_timestamp()))),
wanted AS MATERIALIZED (SELECT id FROM paying UNION SELECT unnest(%(ids)s::uuid[])),
locked AS MATERIALIZED (SELECT id, scope, scope_id, currency, "limit" - settled - reserved AS free, overrun, reserved,
        period = 'month' AND starts_at < date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
            AS is_past
    FROM budgets_budget WHERE id IN (SELECT id FROM wanted) ORDER BY id FOR UPDATE)
"""
LOCKED_ROWS = """
(SELECT json_agg(json_build_array(id, scope, scope_id, currency, free, overrun, is_past, id IN (SELECT id FROM paying),
    reserved)) FROM locked)
"""

ROLL_OVER = """
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

LINEAGE = "SELECT lineage FROM organisations_granttarget WHERE id = %s AND organisation_id = %s"

OPENED = """
INSERT INTO budgets_budget (id, organisation_id, scope, scope_id, target_id, period, starts_at, currency, "limit",
    settled, reserved, overrun)
SELECT id, organisation_id, 'run', scope_id, target_id, 'total', to_timestamp(0), currency, "limit", settled, reserved,
    overrun
FROM json_to_recordset(:opened) AS x(id uuid, organisation_id uuid, scope_id uuid, target_id uuid,
    currency text, "limit" bigint, settled bigint, reserved bigint, overrun bigint)
"""
_MOVED_GIVEN = few("moved", "id uuid, reserved bigint, settled bigint, overrun bigint")
MOVED = f"""
UPDATE budgets_budget b SET reserved = b.reserved + x.reserved, settled = b.settled + x.settled,
    overrun = b.overrun + x.overrun
FROM {_MOVED_GIVEN} AS x
WHERE b.id = x.id
"""  # noqa: S608 - names of ours
HELD = """
INSERT INTO budgets_reservation (id, organisation_id, run_id, budgets, amount, currency, state)
SELECT id, organisation_id, run_id, budgets, amount, currency, 'held'
FROM json_to_recordset(:holds) AS x(id uuid, organisation_id uuid, run_id uuid, budgets jsonb,
    amount bigint, currency text)
"""
_SETTLED_GIVEN = few("settled", "id uuid, state text, settled bigint")
SETTLED = f"""
UPDATE budgets_reservation r SET state = x.state, settled = x.settled, settled_at = clock_timestamp()
FROM {_SETTLED_GIVEN} AS x
WHERE r.id = x.id AND r.state = 'held' RETURNING r.id
"""  # noqa: S608 - names of ours
# Refuses when a reservation was settled by somebody else: nothing is then written at all.
ALL_SETTLED = "1 / ((SELECT count(*) FROM settled) = json_array_length(:settled))::int"
BOOKED = """
INSERT INTO budgets_ledgerentry (id, organisation_id, run_id, decision_id, kind, amount, currency, at)
SELECT id, organisation_id, run_id, decision_id, kind, amount, currency, clock_timestamp()
FROM json_to_recordset(:booked) AS x(id uuid, organisation_id uuid, run_id uuid, decision_id uuid,
    kind text, amount bigint, currency text)
"""
# Without a lock: whoever settles it meanwhile has the budgets locked, and would wait for this row while this waits for
# the budgets. What is held never changes; that nobody else has settled it, the statement that does so sees itself.
HELD_BY_OTHERS = """
SELECT id, amount, budgets, currency FROM budgets_reservation WHERE id = ANY(%s) AND state = 'held' ORDER BY id
"""
