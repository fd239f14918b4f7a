"""What the refund policy makes of a claim and an order: the rules of policy.md, in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from config.sample.rehearsal.claim import Claim, Kind

WINDOW = 30  # days from the delivery


class Outcome(StrEnum):
    """How a mail ends; the first two are on the way there."""

    ELIGIBLE = "eligible"  # the facts are right, the evidence has not been checked
    GRANTED = "granted"  # the evidence is sufficient, the money has not been booked
    REFUNDED = "refunded"
    DECLINED = "declined"
    PROOF_REQUESTED = "proof-requested"
    REFERRED = "referred"  # a colleague will look into it
    ANSWERED = "answered"  # it was a question


@dataclass(frozen=True, slots=True)
class Order:
    """What the orders database tells of an order."""

    email: str
    customer: str
    refunded: int
    refundable: int
    currency: str
    days: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome with its reason, and what is needed to carry it out and to tell the customer."""

    outcome: Outcome
    reason: str
    order: str = ""
    cents: int = 0
    currency: str = "EUR"
    email: str = ""
    customer: str = ""

    @property
    def money(self) -> str:
        """The amount for people, empty if there is none."""
        return f"{self.cents / 100:.2f} {self.currency}" if self.cents else ""

    @property
    def summary(self) -> str:
        """One sentence for people."""
        return f"{self.outcome.value.capitalize().replace('-', ' ')}: {self.reason}"

    @property
    def line(self) -> str:
        """The outcome line that ends every run."""
        amount = f" {self.cents} {self.currency}-cents" if self.outcome is Outcome.REFUNDED else ""
        return f"Outcome: {self.outcome.value}{amount}" + (f", order {self.order}" if self.order else "")


def order_of(rows: Sequence[Mapping[str, Any]]) -> Order | None:
    """The order in the rows of a look-up; None if there is none."""
    if not rows:
        return None
    row = rows[0]
    days = row.get("days_since_delivery")
    return Order(
        email=str(row.get("customer_email", "")).lower(),
        customer=str(row.get("customer_name", "")),
        refunded=int(row.get("refunded_cents") or 0),
        refundable=int(row.get("refundable_cents") or 0),
        currency=str(row.get("currency") or "EUR"),
        days=None if days is None else int(days),
    )


def judge(claim: Claim, order: Order | None, *, number: str, evidence: str | None, receipt: bool | None) -> Finding:
    """Apply the policy to what is known so far.

    `evidence` is the checker's word, None before it spoke; `receipt` whether the refund was booked.
    """
    if order is None or not number:
        return _without_order(claim, number)
    if refused := _refuse(claim, order, number):
        return refused
    cents = min(claim.cents or order.refundable, order.refundable)
    found = Finding(Outcome.ELIGIBLE, _REASONS[claim.kind], number, cents, order.currency, order.email, order.customer)
    return found if evidence is None else _weigh(found, evidence, receipt=receipt)


def _without_order(claim: Claim, number: str) -> Finding:
    if number:
        return Finding(Outcome.DECLINED, f"We have no order with the number {number}; please check it.", number)
    if claim.kind is Kind.NONE:
        return Finding(Outcome.ANSWERED, "The mail asks a question and wants no refund.")
    return Finding(Outcome.PROOF_REQUESTED, "We need the number of the order, such as NW-12345.")


_REASONS: Mapping[Kind, str] = {
    Kind.DAMAGED: "Damaged on arrival, with a photo.",
    Kind.MISSING: "The parcel never arrived.",
    Kind.RETURNED: "Returned within 30 days of the delivery.",
    Kind.UNCLEAR: "Asked for within 30 days of the delivery.",
    Kind.NONE: "Asked for within 30 days of the delivery.",
}


def _refuse(claim: Claim, order: Order, number: str) -> Finding | None:
    if claim.sender and claim.sender != order.email:
        reason = "The mail does not come from the address of the order; please write from that address."
        return Finding(Outcome.PROOF_REQUESTED, reason, number)
    if claim.kind is Kind.NONE:
        reason = "The mail is about an order but wants no refund; a colleague will answer."
        return Finding(Outcome.REFERRED, reason, number, email=order.email)
    if order.refundable <= 0:
        reason = "The order has been refunded in full already, to the original means of payment."
        return Finding(Outcome.DECLINED, reason, number, email=order.email)
    if order.days is not None and order.days > WINDOW:
        reason = f"The order was delivered {order.days} days ago; refunds are possible for {WINDOW} days."
        return Finding(Outcome.DECLINED, reason, number, email=order.email)
    return None


def _weigh(found: Finding, evidence: str, *, receipt: bool | None) -> Finding:
    said = evidence.partition(":")[2].strip()
    if not said.casefold().startswith("sufficient"):
        why = said.removeprefix("insufficient").strip(" .,:-") or "The evidence could not be checked"
        return replace(found, outcome=Outcome.PROOF_REQUESTED, reason=f"{why}.")
    if receipt is None:
        return replace(found, outcome=Outcome.GRANTED)
    if receipt:
        return replace(found, outcome=Outcome.REFUNDED)
    reason = "The refund could not be made at once; a colleague will look into it."
    return replace(found, outcome=Outcome.REFERRED, reason=reason)
