"""Signed calls from outside: what is accepted, and everything that is not."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.api.signatures import WINDOW, SignatureError, check, delivery_of, sign

SECRET = "correct horse battery staple"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp())
BODY = b'{"order": 17}'


def headers(**given: str) -> dict[str, str]:
    """Those of a good call, with some of them changed."""
    said = {"Remit-Timestamp": str(STAMP), "Remit-Signature": sign(SECRET, STAMP, BODY)}
    return said | {name.replace("_", "-"): value for name, value in given.items()}


def test_the_documented_text_is_signed() -> None:
    expected = hmac.new(SECRET.encode(), f"{STAMP}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert sign(SECRET, STAMP, BODY) == f"v1={expected}"
    check(SECRET, headers(), BODY, NOW)


def test_the_case_of_headers_does_not_matter() -> None:
    check(SECRET, {name.upper(): value for name, value in headers().items()}, BODY, NOW)


@pytest.mark.parametrize("seconds", [-WINDOW, WINDOW])
def test_five_minutes_either_way(seconds: int) -> None:
    check(SECRET, headers(), BODY, NOW + timedelta(seconds=seconds))
    with pytest.raises(SignatureError, match="another time"):
        check(SECRET, headers(), BODY, NOW + timedelta(seconds=seconds + (1 if seconds > 0 else -1)))


@pytest.mark.parametrize(
    "changed",
    [
        {"Remit_Signature": ""},
        {"Remit_Signature": "v1="},
        {"Remit_Signature": "v1=" + "0" * 64},
        {"Remit_Signature": "ü" * 64},
        {"Remit_Signature": sign("another secret", STAMP, BODY)},
        {"Remit_Signature": sign(SECRET, STAMP, BODY).removeprefix("v1=")},
        {"Remit_Timestamp": ""},
        {"Remit_Timestamp": str(STAMP + 1)},
        {"Remit_Timestamp": f"{STAMP}.0"},
        {"Remit_Timestamp": "-1"},
        {"Remit_Timestamp": "\u0661" * 10},
        {"Remit_Timestamp": "9" * 30},
        {"Remit_Delivery": "one"},
        {"Remit_Delivery": "no.dots"},
        {"Remit_Delivery": "x" * 65},
    ],
)
def test_what_is_not_right_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureError) as told:
        check(SECRET, headers(**changed), BODY, NOW)
    assert SECRET not in str(told.value)
    assert sign(SECRET, STAMP, BODY) not in str(told.value)


def test_another_body_is_refused() -> None:
    with pytest.raises(SignatureError):
        check(SECRET, headers(), BODY + b" ", NOW)


def test_a_named_delivery_is_signed_with_its_name() -> None:
    named = headers(Remit_Delivery="order-17", Remit_Signature=sign(SECRET, STAMP, BODY, "order-17"))
    check(SECRET, named, BODY, NOW)
    assert delivery_of(named) == "order-17"
    with pytest.raises(SignatureError):
        check(SECRET, named | {"Remit-Delivery": "order-18"}, BODY, NOW)
    with pytest.raises(SignatureError):
        check(SECRET, {name: value for name, value in named.items() if name != "Remit-Delivery"}, BODY, NOW)


def test_without_a_name_the_signature_is_the_name() -> None:
    assert "v1=" + delivery_of(headers()) == sign(SECRET, STAMP, BODY)


@given(st.text("abc01-_", min_size=1, max_size=8), st.binary(max_size=40))
def test_no_two_calls_share_a_signed_text(delivery: str, body: bytes) -> None:
    """A call with a name can never be shown as one without, whatever its body holds."""
    signature = sign(SECRET, STAMP, body, delivery)
    for other in (body, delivery.encode() + b"." + body, b"/" + delivery.encode() + b"." + body):
        assert sign(SECRET, STAMP, other) != signature
