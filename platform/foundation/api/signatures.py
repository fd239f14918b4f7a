"""Signed calls from outside: who knows the secret wrote this body, not long ago.

A call carries `Remit-Timestamp: <Unix seconds>` and `Remit-Signature: v1=<hexadecimal HMAC-SHA256>`. What is signed is
`<timestamp>.<body>`. A sender that tries again later may name the delivery in `Remit-Delivery`; then it is
`<timestamp>/<delivery>.<body>`, so that nobody on the way can give the call another name.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

TIMESTAMP = "Remit-Timestamp"
SIGNATURE = "Remit-Signature"
DELIVERY = "Remit-Delivery"
WINDOW = 300  # seconds between the sender's clock and ours

_VERSION = "v1="
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_DELIVERY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class SignatureError(Exception):
    """A call is not signed as it must be: 401. The message never holds the secret or the right signature."""


def sign(secret: str, timestamp: int, body: bytes, delivery: str = "") -> str:
    """The value of the header `Remit-Signature`."""
    head = f"{timestamp}/{delivery}." if delivery else f"{timestamp}."
    return _VERSION + hmac.new(secret.encode(), head.encode() + body, hashlib.sha256).hexdigest()


def check(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Accept what is signed with this secret within five minutes of `now`. Raises SignatureError."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    written, signature = given.get(TIMESTAMP.lower(), ""), given.get(SIGNATURE.lower(), "")
    if not _TIMESTAMP.fullmatch(written) or not signature:
        raise SignatureError(f"Send {TIMESTAMP} (Unix seconds) and {SIGNATURE} (v1=<HMAC-SHA256>).")
    delivery = given.get(DELIVERY.lower(), "")
    if delivery and not _DELIVERY.fullmatch(delivery):
        raise SignatureError(f"{DELIVERY} must be 1 to 64 letters, digits, hyphens or underscores.")
    expected = sign(secret, int(written), body, delivery)
    # In bytes: the comparison of texts refuses letters outside of ASCII, which anybody may send.
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
        raise SignatureError("The signature does not fit: sign exactly the bytes that you send, with the secret.")
    if abs(now.timestamp() - int(written)) > WINDOW:
        raise SignatureError(f"The call is signed for another time: set your clock, and send within {WINDOW} seconds.")


def delivery_of(headers: Mapping[str, str]) -> str:
    """What tells one accepted delivery from another: the name that its sender gave it, or else its signature."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    return given.get(DELIVERY.lower()) or given[SIGNATURE.lower()].removeprefix(_VERSION)
