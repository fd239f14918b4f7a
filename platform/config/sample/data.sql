-- The customers and orders that the sample mails speak of. Rows that are there already stay as they are.

INSERT INTO sample_orders.customers (number, name, email) VALUES
    ('C-1001', 'Hannah Whitcombe', 'hannah.whitcombe@postbox.example'),
    ('C-1002', 'Jonas Brandt', 'jonas.brandt@briefkasten.example'),
    ('C-1003', 'Claire Dubois', 'claire.dubois@courrier.example'),
    ('C-1004', 'Marco Bellini', 'marco.bellini@posta.example'),
    ('C-1005', 'Ingrid Solberg', 'ingrid.solberg@innboks.example'),
    ('C-1006', 'Peter Langley', 'p.langley@postbox.example'),
    ('C-1007', 'Anke Vogel', 'anke.vogel@briefkasten.example'),
    ('C-1008', 'Tomasz Zieliński', 'tomasz.zielinski@skrzynka.example'),
    ('C-1009', 'Aoife Brennan', 'aoife.brennan@postbox.example'),
    ('C-1010', 'Victor Hale', 'victor.hale@quickmail.example'),
    ('C-1011', 'Ruth Abernathy', 'ruth.abernathy@postbox.example'),
    ('C-1012', 'Samir Haddad', 'samir.haddad@courrier.example'),
    ('C-1013', 'Elena Marchetti', 'elena.marchetti@posta.example'),
    ('C-1014', 'Oskar Lindqvist', 'oskar.lindqvist@brevlada.example'),
    ('C-1015', 'Nadia Petrova', 'nadia.petrova@postbox.example')
ON CONFLICT DO NOTHING;

INSERT INTO sample_orders.orders (number, customer, placed_at, payment_method) VALUES
    ('NW-10021', 'C-1001', now() - interval '15 days', 'Visa ending 4417'),
    ('NW-10034', 'C-1002', now() - interval '8 days', 'PayPal jonas.brandt'),
    ('NW-10047', 'C-1003', now() - interval '24 days', 'Mastercard ending 9032'),
    ('NW-10052', 'C-1004', now() - interval '21 days', 'Visa ending 7710'),
    ('NW-10058', 'C-1005', now() - interval '10 days', 'bank transfer'),
    ('NW-10063', 'C-1006', now() - interval '80 days', 'Visa ending 2256'),
    ('NW-10070', 'C-1007', now() - interval '28 days', 'Mastercard ending 1189'),
    ('NW-10076', 'C-1008', now() - interval '24 days', 'Visa ending 6604'),
    ('NW-10081', 'C-1009', now() - interval '12 days', 'Visa ending 3391'),
    ('NW-10088', 'C-1010', now() - interval '18 days', 'Visa ending 5027'),
    ('NW-10093', 'C-1011', now() - interval '20 days', 'Mastercard ending 8845'),
    ('NW-10099', 'C-1012', now() - interval '14 days', 'Visa ending 9963'),
    ('NW-10104', 'C-1013', now() - interval '9 days', 'Visa ending 1478'),
    ('NW-10110', 'C-1014', now() - interval '16 days', 'Mastercard ending 5512'),
    ('NW-10117', 'C-1015', now() - interval '13 days', 'Visa ending 0836')
ON CONFLICT DO NOTHING;

INSERT INTO sample_orders.order_lines (order_number, position, article, quantity, unit_cents) VALUES
    ('NW-10021', 1, 'Desk lamp Halden, brass', 1, 4990),
    ('NW-10034', 1, 'Glass vase Bodø, 30 cm', 1, 3850),
    ('NW-10047', 1, 'Dining chair Lista, oak', 1, 12900),
    ('NW-10052', 1, 'Espresso machine Vento Duo', 1, 74900),
    ('NW-10058', 1, 'Sofa Fjord, three seats, grey', 1, 128900),
    ('NW-10063', 1, 'Winter coat Tind, size M', 1, 18900),
    ('NW-10070', 1, 'Bread box Molde', 1, 5500),
    ('NW-10076', 1, 'Bed linen Sirdal, double', 1, 8640),
    ('NW-10081', 1, 'Wine glass Alta', 6, 1450),
    ('NW-10081', 2, 'Carafe Alta', 1, 2900),
    ('NW-10088', 1, 'Bluetooth speaker Kvit', 1, 5900),
    ('NW-10093', 1, 'Armchair Voss, green', 1, 44900),
    ('NW-10099', 1, 'Floor lamp Rana', 1, 15900),
    ('NW-10104', 1, 'Mirror Kirkenes, round', 1, 9900),
    ('NW-10110', 1, 'Kettle Stord, 1.7 l', 1, 6450),
    ('NW-10110', 2, 'Tea tin, set of three', 1, 1850),
    ('NW-10117', 1, 'Cushion cover Lofoten', 1, 2495)
ON CONFLICT DO NOTHING;

INSERT INTO sample_orders.parcels (tracking, order_number, direction, carrier, state, shipped_at, delivered_at, note) VALUES
    ('PX400021', 'NW-10021', 'outbound', 'Postex', 'delivered', now() - interval '13 days', now() - interval '11 days', ''),
    ('PX900021', 'NW-10021', 'return', 'Postex', 'delivered', now() - interval '5 days', now() - interval '2 days', 'unpacked, as new'),
    ('PX400034', 'NW-10034', 'outbound', 'Postex', 'delivered', now() - interval '6 days', now() - interval '4 days', ''),
    ('CL400047', 'NW-10047', 'outbound', 'Colivite', 'delivered', now() - interval '22 days', now() - interval '19 days', ''),
    ('CL900047', 'NW-10047', 'return', 'Colivite', 'delivered', now() - interval '7 days', now() - interval '3 days', 'unpacked, as new'),
    ('PX400052', 'NW-10052', 'outbound', 'Postex', 'delivered', now() - interval '19 days', now() - interval '16 days', ''),
    ('PX900052', 'NW-10052', 'return', 'Postex', 'delivered', now() - interval '6 days', now() - interval '3 days', 'unpacked, complete, cleaned'),
    ('FR400058', 'NW-10058', 'outbound', 'Frakt & Co', 'delivered', now() - interval '7 days', now() - interval '5 days', 'two men delivery'),
    ('PX400063', 'NW-10063', 'outbound', 'Postex', 'delivered', now() - interval '77 days', now() - interval '74 days', ''),
    ('PX400070', 'NW-10070', 'outbound', 'Postex', 'delivered', now() - interval '26 days', now() - interval '24 days', ''),
    ('PX900070', 'NW-10070', 'return', 'Postex', 'delivered', now() - interval '17 days', now() - interval '14 days', 'unpacked, as new'),
    ('PX400076', 'NW-10076', 'outbound', 'Postex', 'lost', now() - interval '22 days', NULL, 'last scan: sorting centre, 20 days ago'),
    ('PX400081', 'NW-10081', 'outbound', 'Postex', 'delivered', now() - interval '10 days', now() - interval '7 days', ''),
    ('PX400088', 'NW-10088', 'outbound', 'Postex', 'delivered', now() - interval '16 days', now() - interval '13 days', ''),
    ('PX900088', 'NW-10088', 'return', 'Postex', 'delivered', now() - interval '6 days', now() - interval '3 days', 'unpacked, as new'),
    ('FR400093', 'NW-10093', 'outbound', 'Frakt & Co', 'delivered', now() - interval '17 days', now() - interval '15 days', ''),
    ('FR900093', 'NW-10093', 'return', 'Frakt & Co', 'delivered', now() - interval '6 days', now() - interval '4 days', 'unpacked, as new'),
    ('CL400099', 'NW-10099', 'outbound', 'Colivite', 'delivered', now() - interval '12 days', now() - interval '10 days', ''),
    ('PX400104', 'NW-10104', 'outbound', 'Postex', 'delivered', now() - interval '7 days', now() - interval '5 days', 'left with a neighbour'),
    ('PX400110', 'NW-10110', 'outbound', 'Postex', 'delivered', now() - interval '14 days', now() - interval '12 days', ''),
    ('PX900110', 'NW-10110', 'return', 'Postex', 'in transit', now() - interval '2 days', NULL, ''),
    ('PX400117', 'NW-10117', 'outbound', 'Postex', 'delivered', now() - interval '11 days', now() - interval '9 days', ''),
    ('PX900117', 'NW-10117', 'return', 'Postex', 'delivered', now() - interval '4 days', now() - interval '1 day', 'unpacked, as new')
ON CONFLICT DO NOTHING;

INSERT INTO sample_ledger.accounts (number, holder, kind) VALUES
    ('NW-CLEARING', 'Northwind, refunds through card and PayPal', 'clearing'),
    ('NO9386011117947', 'Halden Lighting AS', 'supplier'),
    ('DE02120300000000202051', 'Glashütte Bodø GmbH', 'supplier')
ON CONFLICT DO NOTHING;

-- The order of Anke Vogel was refunded before the sample team began.
INSERT INTO sample_ledger.refunds (idempotency_key, order_number, amount_cents, currency, reason, booked_at) VALUES
    ('before the sample: NW-10070', 'NW-10070', 5500, 'EUR', 'Returned within 30 days', now() - interval '13 days')
ON CONFLICT DO NOTHING;
