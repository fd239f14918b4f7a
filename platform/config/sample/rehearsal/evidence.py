"""The evidence checker's part: the task says what is claimed, the parcels say what happened."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from config.sample.rehearsal.answer import Answer, Wish
from config.sample.rehearsal.claim import Kind, read_claim
from config.sample.rehearsal.conversation import Conversation
from config.sample.rehearsal.outputs import rows

FIND_PARCEL = "orders__find_parcel"
LONG_ON_ITS_WAY = 14  # days

_LINE = r"^{}: *(.+)$"


def play(conversation: Conversation) -> Answer:
    """Look at the parcels, then say whether the evidence is sufficient, and why."""
    order = re.search(r"\bNW-\d{5}\b", conversation.text)
    call = conversation.call(FIND_PARCEL)
    if order and call is None and conversation.offers(FIND_PARCEL):
        return Answer(wishes=(Wish(FIND_PARCEL, {"order": order[0]}),))
    enough, why = _weigh(conversation.text, rows(call.output) if call else [])
    return Answer(f"Evidence: {'sufficient' if enough else 'insufficient'}. {why}")


def _weigh(task: str, parcels: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    claimed, photos = _field(task, "Claim"), _field(task, "Photos attached")
    kind = Kind(claimed) if claimed in set(Kind) else read_claim(task).kind
    if kind is Kind.DAMAGED:
        if photos and photos != "none":
            return True, f"A photo of the damage is attached ({photos})."
        return False, "A photo of the damage is missing; please send one."
    sent = [parcel for parcel in parcels if parcel.get("direction") == "outbound"]
    if kind is Kind.MISSING:
        return _weigh_missing(sent)
    if any(parcel.get("direction") == "return" and parcel.get("state") == "delivered" for parcel in parcels):
        return True, "The returned goods are in our warehouse."
    if any(parcel.get("direction") == "return" for parcel in parcels):
        return False, "The returned goods are still on their way to our warehouse; we refund as soon as they are here."
    return False, "Our warehouse has not received the goods; please send them back and tell us the tracking number."


def _weigh_missing(sent: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    if any(parcel.get("state") == "delivered" for parcel in sent):
        return False, "The carrier reports that the parcel was delivered; please ask your neighbours and write again."
    if any(parcel.get("state") == "lost" for parcel in sent):
        return True, "The carrier reports the parcel as lost."
    if any(int(parcel.get("days_since_shipping") or 0) >= LONG_ON_ITS_WAY for parcel in sent):
        return True, f"The parcel has been on its way for {LONG_ON_ITS_WAY} days or more."
    return False, "The parcel is still on its way; please wait a few days more."


def _field(task: str, name: str) -> str:
    match = re.search(_LINE.format(re.escape(name)), task, re.MULTILINE)
    return match[1].strip() if match else ""
