-- The shop of the sample organisation: its orders, and the sandbox ledger that refunds are booked in.
-- All times hang on now(), so that the 30-day window holds whenever this is installed. Amounts are integer cents.

CREATE SCHEMA IF NOT EXISTS sample_orders;
CREATE SCHEMA IF NOT EXISTS sample_ledger;

CREATE TABLE IF NOT EXISTS sample_orders.customers (
    number text PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE CHECK (email = lower(email))
);

CREATE TABLE IF NOT EXISTS sample_orders.orders (
    number text PRIMARY KEY CHECK (number ~ '^NW-[0-9]{5}$'),
    customer text NOT NULL REFERENCES sample_orders.customers,
    placed_at timestamptz NOT NULL,
    currency text NOT NULL DEFAULT 'EUR' CHECK (currency ~ '^[A-Z]{3}$'),
    payment_method text NOT NULL
);

CREATE TABLE IF NOT EXISTS sample_orders.order_lines (
    order_number text NOT NULL REFERENCES sample_orders.orders,
    position integer NOT NULL CHECK (position > 0),
    article text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_cents bigint NOT NULL CHECK (unit_cents > 0),
    PRIMARY KEY (order_number, position)
);

CREATE TABLE IF NOT EXISTS sample_orders.parcels (
    tracking text PRIMARY KEY,
    order_number text NOT NULL REFERENCES sample_orders.orders,
    direction text NOT NULL CHECK (direction IN ('outbound', 'return')),
    carrier text NOT NULL,
    state text NOT NULL CHECK (state IN ('in transit', 'delivered', 'lost')),
    shipped_at timestamptz NOT NULL,
    delivered_at timestamptz,
    note text NOT NULL DEFAULT '',
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);

CREATE TABLE IF NOT EXISTS sample_ledger.accounts (
    number text PRIMARY KEY,
    holder text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('clearing', 'supplier')),
    currency text NOT NULL DEFAULT 'EUR'
);

CREATE TABLE IF NOT EXISTS sample_ledger.refunds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text NOT NULL UNIQUE,
    order_number text NOT NULL REFERENCES sample_orders.orders,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    currency text NOT NULL,
    reason text NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS refunds_order_number ON sample_ledger.refunds (order_number);

CREATE TABLE IF NOT EXISTS sample_ledger.payouts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text NOT NULL UNIQUE,
    account text NOT NULL CHECK (account <> ''),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    currency text NOT NULL,
    reason text NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now()
);

-- After the insert, not before it: a repeated key that ON CONFLICT drops must not be counted. The lock on the order
-- makes two refunds of it wait for each other; each then sums what the other has committed. NO KEY, because each holds
-- the key share of its foreign key already, and the two would otherwise wait for one another for ever.
CREATE OR REPLACE FUNCTION sample_ledger.refuse_over_refund() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    paid bigint;
    refunded numeric;
    paid_in text;
BEGIN
    SELECT currency INTO paid_in FROM sample_orders.orders WHERE number = NEW.order_number FOR NO KEY UPDATE;
    SELECT sum(quantity * unit_cents) INTO paid FROM sample_orders.order_lines WHERE order_number = NEW.order_number;
    SELECT sum(amount_cents) INTO refunded FROM sample_ledger.refunds WHERE order_number = NEW.order_number;
    IF NEW.currency <> paid_in THEN
        RAISE EXCEPTION 'order % was paid in %', NEW.order_number, paid_in
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_in_the_currency_paid';
    END IF;
    IF refunded > coalesce(paid, 0) THEN
        RAISE EXCEPTION 'order % would be refunded % of % cents paid', NEW.order_number, refunded, paid
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_what_was_paid';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER refuse_over_refund AFTER INSERT ON sample_ledger.refunds
    FOR EACH ROW EXECUTE FUNCTION sample_ledger.refuse_over_refund();

-- What the refund desk may look at. A view reads with the rights of its owner, so a reader of the orders sees how much
-- has been refunded without seeing the ledger.
CREATE OR REPLACE VIEW sample_orders.order_overview AS
SELECT o.number AS order_number,
       c.name AS customer_name,
       c.email AS customer_email,
       o.placed_at::date AS placed_on,
       o.currency,
       o.payment_method,
       l.lines,
       l.total_cents,
       r.refunded_cents,
       l.total_cents - r.refunded_cents AS refundable_cents,
       p.delivered_at::date AS delivered_on,
       floor(extract(epoch FROM now() - p.delivered_at) / 86400)::integer AS days_since_delivery
FROM sample_orders.orders o
JOIN sample_orders.customers c ON c.number = o.customer
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('article', article, 'quantity', quantity, 'unit_cents', unit_cents)
                     ORDER BY position) AS lines,
           sum(quantity * unit_cents)::bigint AS total_cents
    FROM sample_orders.order_lines WHERE order_number = o.number
) l
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_cents), 0)::bigint AS refunded_cents
    FROM sample_ledger.refunds WHERE order_number = o.number
) r
CROSS JOIN LATERAL (
    SELECT max(delivered_at) AS delivered_at
    FROM sample_orders.parcels WHERE order_number = o.number AND direction = 'outbound'
) p;

CREATE OR REPLACE VIEW sample_orders.parcel_overview AS
SELECT order_number,
       tracking,
       direction,
       carrier,
       state,
       floor(extract(epoch FROM now() - shipped_at) / 86400)::integer AS days_since_shipping,
       floor(extract(epoch FROM now() - delivered_at) / 86400)::integer AS days_since_delivery,
       note
FROM sample_orders.parcels;
