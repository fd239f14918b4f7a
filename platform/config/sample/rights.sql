-- The reader sees orders and parcels. Payments sees the same, and appends to the ledger; neither changes a row.
-- Locking the order happens inside the trigger's function, with its owner's rights.

ALTER ROLE {reader} SET default_transaction_read_only = on;
ALTER ROLE {reader} SET statement_timeout = '10s';
ALTER ROLE {payments} SET statement_timeout = '10s';

GRANT USAGE ON SCHEMA sample_orders TO {reader}, {payments};
GRANT SELECT ON ALL TABLES IN SCHEMA sample_orders TO {reader}, {payments};

GRANT USAGE ON SCHEMA sample_ledger TO {payments};
GRANT SELECT ON ALL TABLES IN SCHEMA sample_ledger TO {payments};
GRANT INSERT ON sample_ledger.refunds, sample_ledger.payouts TO {payments};

REVOKE ALL ON FUNCTION sample_ledger.refuse_over_refund() FROM PUBLIC;
