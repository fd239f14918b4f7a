"""Sealed values open where they belong, and nowhere else."""

import base64

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from foundation.keys import add_key, drop_former_keys
from foundation.secrets.sealing import (
    KEY_FILE,
    KEY_VARIABLE,
    UnsealError,
    forget_keys,
    is_current,
    reseal,
    seal,
    unseal,
)

CANARY = "canary-6f1c0b7e"
WRITTEN = "v1.18ad13bd.qBOVsk-FCGWgSZxhjLf3IX4X0JeAVzuWGQlLOHs84bx_ZVfNnTPWoDck"


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_in_its_context(keys, plain, context):
    token = seal(plain, context=context)
    assert unseal(token, context=context) == plain
    with pytest.raises(UnsealError):
        unseal(token, context=context + "x")


def test_a_token_shows_nothing():
    one, two = seal(CANARY, context="c"), seal(CANARY, context="c")
    assert one != two
    assert CANARY not in one
    assert one.startswith("v1.")
    assert one.isascii()


def test_every_changed_character_is_noticed():
    token = seal(CANARY + "xx", context="c")  # of a length whose base64 has no unused bits
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(UnsealError) as refused:
            unseal(changed, context="c")
        assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    "token", ["", "v1", "v1.", "v1..", "v2.00000000.AAAA", "v1.00000000.AAAA", CANARY, "v1.x.\ud800"]
)
def test_what_is_no_token(token):
    with pytest.raises(UnsealError):
        unseal(token, context="c")


@pytest.mark.parametrize("rest", ["", "A", "!!", "AAAA", "é"])
def test_what_is_no_ciphertext(rest):
    prefix = seal("x", context="c").rpartition(".")[0]
    with pytest.raises(UnsealError):
        unseal(f"{prefix}.{rest}", context="c")


def test_after_a_rotation_old_tokens_still_open():
    old = seal(CANARY, context="c")
    add_key(KEY_FILE, KEY_VARIABLE)
    forget_keys()
    assert unseal(old, context="c") == CANARY
    assert not is_current(old)
    new = reseal(old, context="c")
    assert is_current(new)
    assert reseal(new, context="c") == new
    drop_former_keys(KEY_FILE, KEY_VARIABLE)
    forget_keys()
    assert unseal(new, context="c") == CANARY
    with pytest.raises(UnsealError, match="missing"):
        unseal(old, context="c")


def test_a_running_process_learns_of_a_new_key(monkeypatch):
    seal("x", context="c")  # the keys are read
    add_key(KEY_FILE, KEY_VARIABLE)
    here, there = seal("here", context="c"), None
    forget_keys()
    there = seal("there", context="c")
    assert here.split(".")[1] != there.split(".")[1]
    assert unseal(here, context="c") == "here"
    assert unseal(there, context="c") == "there"


def test_the_key_may_come_from_the_environment(keys, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    forget_keys()
    assert unseal(seal(CANARY, context="c"), context="c") == CANARY
    assert not keys.exists()


def test_tokens_of_this_version_stay_readable(monkeypatch):
    """A token written when this format was made: a change of the format must keep opening it."""
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    forget_keys()
    assert unseal(WRITTEN, context="tools.credential:1") == "sealed in 2026"
