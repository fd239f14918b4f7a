"""Reading a mail by plain rules: who writes, about which order, what happened, what they want, and what is hidden."""

import re
from dataclasses import dataclass
from enum import StrEnum
from html import unescape


class Kind(StrEnum):
    """What the customer says happened."""

    DAMAGED = "damaged"
    MISSING = "missing"
    RETURNED = "returned"
    UNCLEAR = "unclear"
    NONE = "none"  # not about a refund


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a text tells the reader to send to an account."""

    account: str
    cents: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What the mail says. `cents` is the amount asked for, None if none is named."""

    sender: str
    name: str
    subject: str
    order: str
    kind: Kind
    cents: int | None
    photos: tuple[str, ...]
    words: str
    payment: Payment | None


_NUMBER = r"\d{1,3}(?:[ .,]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_AMOUNT = rf"(?:(?:€|EUR)\s?(?P<a>{_NUMBER})|(?<![\d.,-])(?P<b>{_NUMBER})\s?(?:€|EUR\b|euros?\b))"
_MONEY = re.compile(_AMOUNT, re.IGNORECASE)
_WISH = re.compile(
    rf"(?:refund|reimburs|money back|back|erstatt|zurück|rembours)[^.!?]{{0,90}}?{_AMOUNT}", re.IGNORECASE
)
_ACCOUNT = r"(?P<account>[A-Z]{2}\d{2}(?: ?[A-Z0-9]){10,30})"
_TO_PAY = (
    r"\b(?i:pay(?:ment|out)?|transfer|send|wire|remit|settle|deposit|credit|refund"
    r"|überweise\w*|zahle\w*|virez|versez)\b"
)
_PAYMENTS = (  # an amount to an account, or to an account an amount
    re.compile(rf"{_TO_PAY}[^.!?]{{0,60}}?(?i:{_AMOUNT})[^!?]{{0,80}}?{_ACCOUNT}"),
    re.compile(rf"{_TO_PAY}[^!?]{{0,80}}?{_ACCOUNT}\b[^!?]{{0,60}}?(?i:{_AMOUNT})"),
)
_ORDER = re.compile(r"\bNW[- ]?(\d{5})\b", re.IGNORECASE)
_HEADER = re.compile(r"^(From|Subject):[ \t]*(.*)$", re.MULTILINE)
_ADDRESS = re.compile(r"[^\s<>\"',;]+@[^\s<>\"',;]+")
_PHOTO = re.compile(r"^Attachment: (.+?) \(image/", re.MULTILINE)
_DAMAGED = r"damag|defect|broken|crack|shatter|torn\b|\btear\b|scratch|beschädigt|kaputt|zerbroch|cassé|abîmé"
_MISSING = (
    r"never (?:been )?(?:arriv|deliver)|(?:not|n't|nothing) (?:been )?(?:yet )?(?:arriv|deliver|receiv)"
    r"|parcel is (?:lost|missing)|nicht angekommen|jamais (?:reçu|arriv)"
)
_RETURNED = r"return|sen[dt] (?:it |\w+ )?back|came back|back with you|zurück|renvoy|changed my mind"
_KINDS = ((Kind.DAMAGED, _DAMAGED), (Kind.MISSING, _MISSING), (Kind.RETURNED, _RETURNED))
_REFUND = re.compile(r"refund|money back|get the .{0,20}back|reimburs|erstatt|geld zurück|rembours", re.IGNORECASE)


def read_claim(text: str) -> Claim:
    """Read a mail as `config.sample.reading` lays it out, or any other text."""
    headers = dict(_HEADER.findall(text))
    sender = _ADDRESS.search(headers.get("From", ""))
    words = _visible(text)
    order = _ORDER.search(words)
    return Claim(
        sender=sender[0].lower() if sender else "",
        name=re.sub(r"<.*|[\"]", "", headers.get("From", "")).strip(),
        subject=headers.get("Subject", "").strip(),
        order=f"NW-{order[1]}" if order else "",
        kind=_kind(words, has_order=bool(order)),
        cents=_wish(words),
        photos=tuple(_PHOTO.findall(text)),
        words=words,
        payment=_payment(text),
    )


def _visible(text: str) -> str:
    """What a person would read: no quoted lines, no headers but the subject, no HTML source."""
    without_html = re.split(r"^\[HTML part of the mail\]$", text, maxsplit=1, flags=re.MULTILINE)[0]
    # A mail in HTML alone: its tags and comments go, its text stays.
    if not re.sub(r"^[A-Z]\w+: .*$", "", without_html, flags=re.MULTILINE).strip():
        without_html = unescape(re.sub(r"<!--.*?-->|<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL))
    lines = [line for line in without_html.splitlines() if not line.startswith((">", "From:", "To:", "Date:"))]
    return "\n".join(lines)


def _kind(words: str, *, has_order: bool) -> Kind:
    wants_refund = bool(_REFUND.search(words))
    found = next((kind for kind, pattern in _KINDS if re.search(pattern, words, re.IGNORECASE)), None)
    if found is None:
        return Kind.UNCLEAR if wants_refund and has_order else Kind.NONE
    return found if wants_refund or has_order else Kind.NONE


def _wish(words: str) -> int | None:
    flat = " ".join(words.split())
    match = _WISH.search(flat) or _MONEY.search(flat)
    return cents(match["a"] or match["b"]) if match else None


def _payment(text: str) -> Payment | None:
    flat = " ".join(text.split())
    match = next(filter(None, (pattern.search(flat) for pattern in _PAYMENTS)), None)
    if match is None:
        return None
    # An IBAN is at most 34 characters; in running text it ends where the groups of capitals and digits end.
    account = re.match(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4})*(?: ?[A-Z0-9]{1,3}\b)?", match["account"])
    return Payment((account[0] if account else match["account"]).replace(" ", ""), cents(match["a"] or match["b"]))


def cents(written: str) -> int:
    """1.289,00 and 1,289.00 and 1 289 are all the same amount of cents as 1289.00."""
    digits = written.replace(" ", "").strip(".,")
    match = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", digits)
    whole, fraction = (match[1], match[2] or "") if match else (digits, "")
    return int(re.sub(r"[.,]", "", whole) or "0") * 100 + int(fraction.ljust(2, "0") or "0")
