"""The sandbox ledger: each key books once, and no order is refunded more than was paid."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.conninfo import make_conninfo

from agents.tools.port import ToolEffect, ToolRefusedError
from config.sample.payments import SandboxPayments

PAYMENTS = SandboxPayments()
LAMP = {"order": "NW-10021", "amount_cents": 4990, "currency": "EUR", "reason": "Returned within 30 days"}
STRANGER = {"account": "DE89370400440532013000", "amount_cents": 95000, "currency": "EUR", "reason": "x"}


def count(owner, table="refunds"):
    row = owner.execute(
        f"SELECT count(*) FROM sample_ledger.{table} WHERE idempotency_key NOT LIKE 'before the sample%'"
    ).fetchone()
    return row[0]


def test_effects():
    effects = {definition.name: definition.effect for definition in PAYMENTS.definitions({})}
    assert effects == {"refund": ToolEffect.IDEMPOTENT, "payout": ToolEffect.EFFECT}


def test_a_refund_is_booked_once_for_each_key(owner, shop, ask):
    first = PAYMENTS.call(ask("refund", secret=shop["payments"], **LAMP))
    again = PAYMENTS.call(ask("refund", secret=shop["payments"], **LAMP))
    assert first.content["receipt"].startswith("R-")
    assert again == first
    assert count(owner) == 1


def test_ten_workers_with_one_key_book_once(owner, shop, ask):
    with ThreadPoolExecutor(10) as pool:
        outputs = list(pool.map(lambda _: PAYMENTS.call(ask("refund", secret=shop["payments"], **LAMP)), range(10)))
    assert len({output.content["receipt"] for output in outputs}) == 1
    assert count(owner) == 1


def test_a_key_stands_for_one_booking(owner, shop, ask):
    PAYMENTS.call(ask("refund", secret=shop["payments"], **LAMP))
    with pytest.raises(ToolRefusedError, match="another booking"):
        PAYMENTS.call(ask("refund", secret=shop["payments"], **LAMP | {"amount_cents": 1}))
    assert count(owner) == 1


def test_the_reader_s_credential_books_nothing(owner, shop, ask):
    with pytest.raises(ToolRefusedError, match=r"SQLSTATE (25006|42501)"):
        PAYMENTS.call(ask("refund", secret=shop["orders"], **LAMP))
    assert count(owner) == 0


def test_no_more_is_refunded_than_was_paid(owner, shop, ask):
    half = LAMP | {"amount_cents": 2500}
    PAYMENTS.call(ask("refund", key="a", secret=shop["payments"], **half))
    with pytest.raises(ToolRefusedError, match="More would be refunded"):
        PAYMENTS.call(ask("refund", key="b", secret=shop["payments"], **half))
    assert count(owner) == 1


def test_racing_refunds_of_one_order_stay_within_what_was_paid(owner, shop, ask):
    def try_one(number):
        try:
            PAYMENTS.call(ask("refund", key=f"race-{number}", secret=shop["payments"], **LAMP))
        except ToolRefusedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_one, range(8))) == 1
    assert count(owner) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "NW-99999"}, "no such order"),
        ({"currency": "USD"}, "another currency"),
        ({"amount_cents": -5}, "does not take"),
    ],
)
def test_what_the_ledger_refuses(owner, shop, ask, change, message):
    with pytest.raises(ToolRefusedError, match=message):
        PAYMENTS.call(ask("refund", secret=shop["payments"], **LAMP | change))
    assert count(owner) == 0


def test_a_payout_is_booked_once_for_each_key(owner, shop, ask):
    first = PAYMENTS.call(ask("payout", secret=shop["payments"], **STRANGER))
    assert PAYMENTS.call(ask("payout", secret=shop["payments"], **STRANGER)) == first
    assert count(owner, "payouts") == 1


def test_a_ledger_that_does_not_let_us_in_says_nothing_of_the_secret(shop, ask):
    secret = make_conninfo(shop["payments"], password="canary")
    with pytest.raises(ToolRefusedError, match="cannot be reached") as caught:
        PAYMENTS.call(ask("refund", secret=secret, **LAMP))
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None
