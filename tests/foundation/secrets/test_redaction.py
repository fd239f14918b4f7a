"""Logs hold no secrets: neither those this process has opened, nor what looks like one."""

import io
import logging

import pytest

from foundation.secrets.redaction import REDACTED, RedactingFilter, redact, redact_event, redacted, register_secret
from foundation.secrets.sealing import seal, unseal

CANARY = "c4n4ry"  # in every secret below


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://remit:c4n4ry-pw@db:5432/remit", f"postgresql://remit:{REDACTED}@db:5432/remit"),
        ("pgmq://u:c4n4ry%40x@h/d and amqp://:c4n4ry@h", f"pgmq://u:{REDACTED}@h/d and amqp://:{REDACTED}@h"),
        ("Authorization: Bearer c4n4ry.abc-DEF_123", f"Authorization: Bearer {REDACTED}"),
        ("key sk-proj-c4n4ryABCDEFGH123456 used", f"key {REDACTED} used"),
        ("ghp_c4n4ry0123456789abcdef", REDACTED),
        ("AKIAC4N4RY0123456789c4n4ry", REDACTED),
        ("eyJhbGciOiJIUzI1NiJ9.eyJjNG40cnkiOjF9.c4n4ry-sig", REDACTED),
        ("password=c4n4ry&x=1", f"password={REDACTED}&x=1"),
        ('{"api_key": "c4n4ry"}', f'{{"api_key": "{REDACTED}"}}'),
        ("-----BEGIN PRIVATE KEY-----\nc4n4ry\n-----END PRIVATE KEY-----\nrest", f"{REDACTED}\nrest"),
        ("Forbidden: /sign-in/link/c4n4ry-_1/", f"Forbidden: /sign-in/link/{REDACTED}/"),
        ('"https://h/sign-in/invitation/c4n4ry"', f'"https://h/sign-in/invitation/{REDACTED}"'),
        ("-----BEGIN EC PRIVATE KEY-----\nc4n4ry cut", REDACTED),
    ],
)
def test_what_looks_like_a_secret(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "run 01a2 started",
        "https://example.org/a@b",
        "task-skills are fine",
        "the password policy",
        "http://h:8000/x",
        "",
    ],
)
def test_ordinary_text_stays(text):
    assert redacted(text) == text


def test_what_was_sealed_or_opened_here_is_known(keys):
    token = seal("plain words c4n4ry", context="c")
    assert redacted("it was: plain words c4n4ry!") == f"it was: {REDACTED}!"
    assert unseal(token, context="c") == "plain words c4n4ry"
    register_secret("short")
    assert redacted("a short word") == "a short word"


def test_values_under_telling_names_go_whole():
    assert redact({"password": "x", "user": "ada", "nested": [{"api-key": "y", "tokens": 7, "input_tokens": 3}]}) == {
        "password": REDACTED,
        "user": "ada",
        "nested": [{"api-key": REDACTED, "tokens": 7, "input_tokens": 3}],
    }


def test_an_event_of_structlog():
    event = {
        "event": "sent Bearer c4n4ry12345",
        "authorization": "c4n4ry",
        "_record": object(),
        "count": 3,
        "none": None,
    }
    cleaned = redact_event(None, "info", event)
    assert CANARY not in str(cleaned)
    assert (cleaned["count"], cleaned["none"]) == (3, None)


def test_a_handler_of_the_standard_library():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        int("password=c4n4ry-in-an-error")
    except ValueError:
        logger.exception("url %s", "postgres://u:c4n4ry@h/d", stack_info=True)
    logger.info("100%% of %d", 5)
    assert CANARY not in stream.getvalue()
    assert "postgres://u:[secret]@h/d" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "100% of 5" in stream.getvalue()
