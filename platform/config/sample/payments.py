"""Payments of the sample shop: books refunds and payouts in the sandbox ledger, once for each idempotency key."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from agents.labels import Confidentiality, Integrity, Label
from agents.tools.port import (
    ToolDefinition,
    ToolEffect,
    ToolOutput,
    ToolRefusedError,
    ToolRequest,
    ToolUncertainError,
)
from config.sample.shop import connect_to_shop

_AMOUNT = {"type": "integer", "minimum": 1, "maximum": 100_000_000, "description": "in cents of the currency"}
_CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$"}
_REASON = {"type": "string", "minLength": 1, "maxLength": 500}
_ORDER = {"type": "string", "pattern": "^NW-[0-9]{5}$"}
_ACCOUNT = {"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$", "description": "IBAN without spaces"}

_BOOK_REFUND = """
    INSERT INTO sample_ledger.refunds (idempotency_key, order_number, amount_cents, currency, reason)
    VALUES (%(key)s, %(order)s, %(amount_cents)s, %(currency)s, %(reason)s)
    ON CONFLICT (idempotency_key) DO NOTHING"""
_REFUND = """
    SELECT id, order_number AS order, amount_cents, currency, reason, booked_at
    FROM sample_ledger.refunds WHERE idempotency_key = %(key)s"""
_BOOK_PAYOUT = """
    INSERT INTO sample_ledger.payouts (idempotency_key, account, amount_cents, currency, reason)
    VALUES (%(key)s, %(account)s, %(amount_cents)s, %(currency)s, %(reason)s)
    ON CONFLICT (idempotency_key) DO NOTHING"""
_PAYOUT = """
    SELECT id, account, amount_cents, currency, reason, booked_at
    FROM sample_ledger.payouts WHERE idempotency_key = %(key)s"""

_STATEMENTS = {"refund": (_BOOK_REFUND, _REFUND, "R"), "payout": (_BOOK_PAYOUT, _PAYOUT, "P")}
_REFUSALS = {
    "refunds_within_what_was_paid": "More would be refunded than was paid for the order: nothing was booked.",
    "refunds_in_the_currency_paid": "The order was paid in another currency: nothing was booked.",
    "refunds_order_number_fkey": "There is no such order: nothing was booked.",
}


class SandboxPayments:
    """`refund` returns money for an order to its original means of payment; `payout` pays any account."""

    def definitions(self, settings: Mapping[str, Any]) -> Sequence[ToolDefinition]:  # noqa: ARG002 - the port's
        """The two operations."""
        return [
            ToolDefinition(
                name="refund",
                description="Refund an amount of an order to its original means of payment.",
                schema=_schema(order=_ORDER, amount_cents=_AMOUNT, currency=_CURRENCY, reason=_REASON),
                effect=ToolEffect.IDEMPOTENT,
            ),
            ToolDefinition(
                name="payout",
                description="Pay an amount to the bank account of a supplier.",
                schema=_schema(account=_ACCOUNT, amount_cents=_AMOUNT, currency=_CURRENCY, reason=_REASON),
                effect=ToolEffect.EFFECT,
            ),
        ]

    def call(self, request: ToolRequest) -> ToolOutput:
        """Book it, or find it booked already under the same key; the receipt is the same both times."""
        if request.operation not in _STATEMENTS:
            raise ToolRefusedError(f"There is no operation {request.operation!r}: use refund or payout.")
        statement, question, letter = _STATEMENTS[request.operation]
        values = {**request.arguments, "key": request.idempotency_key}
        row = _book(connect_to_shop(request.secret), statement, question, values)
        if any(row[name] != value for name, value in request.arguments.items()):
            raise ToolRefusedError("The idempotency key was used for another booking: nothing was booked.")
        receipt = {
            "receipt": f"{letter}-{row['id']:06d}",
            **request.arguments,
            "booked_at": row["booked_at"].isoformat(),
        }
        return ToolOutput(receipt, Label(Integrity.TRUSTED, Confidentiality.CONFIDENTIAL, frozenset({"ledger"})))


def _schema(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _book(
    connection: psycopg.Connection[Any], statement: str, question: str, values: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        with connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(statement, values)
            cursor.execute(question, values)
            row = cursor.fetchone()
    except psycopg.errors.IntegrityError as error:
        reason = _REFUSALS.get(error.diag.constraint_name or "", "The ledger does not take this booking.")
        raise ToolRefusedError(reason) from None
    except (psycopg.errors.QueryCanceled, psycopg.errors.TransactionRollback):
        # The server said so before the commit: it surely was not booked.
        raise ToolRefusedError("The ledger is too busy: nothing was booked, try again later.") from None
    except psycopg.OperationalError:
        raise ToolUncertainError("The connection to the ledger broke: nobody knows whether it was booked.") from None
    except psycopg.Error as error:
        raise ToolRefusedError(f"The ledger refused the booking (SQLSTATE {error.sqlstate or 'unknown'}).") from None
    if row is None:
        raise ToolUncertainError("The ledger shows no booking under this key.")
    return row
