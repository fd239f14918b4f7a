"""The keys of tokens: who wants to check one finds its key, before and after a rotation."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from foundation.delegation.keys import KEY_FILE, KEY_VARIABLE, LIFETIME, public_keys, rotate_keys
from foundation.delegation.tokens import Claims, TokenRefusedError, end_of, mint, verify
from foundation.ids import uuid7

NOW = datetime.now(UTC)


@pytest.fixture
def directory(tmp_path: Path, settings: Any) -> Path:
    """Keys of this test alone."""
    settings.KEYS_DIR = tmp_path
    return tmp_path


def token() -> str:
    return mint(
        Claims(agent=uuid7(), organisation=uuid7(), audience=("shop",), scopes=frozenset({"tool:shop.buy"}),
               issued_at=NOW, expires_at=end_of(NOW))
    )  # fmt: skip


def accepted(given: str) -> bool:
    try:
        verify(given, audience="shop", now=NOW)
    except TokenRefusedError:
        return False
    return True


def test_only_the_public_half_is_shown(directory: Path) -> None:
    (key,) = public_keys()["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert (directory / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_after_a_rotation_the_new_key_signs_and_the_former_one_verifies(directory: Path) -> None:
    before, former = token(), public_keys()["keys"][0]["kid"]
    assert rotate_keys() == 2
    keys = [key["kid"] for key in public_keys()["keys"]]
    assert keys[1] == former != keys[0]
    assert accepted(before)
    assert accepted(token())


def test_a_former_key_goes_when_its_tokens_are_over(directory: Path) -> None:
    before = token()
    rotate_keys()
    long_ago = time.time() - LIFETIME - 5
    os.utime(directory / KEY_FILE, (long_ago, long_ago))
    assert rotate_keys() == 2
    assert not accepted(before), "two rotations ago"


def test_keys_that_somebody_saw_are_forgotten_at_once(directory: Path) -> None:
    before = token()
    assert rotate_keys(forget=True) == 1
    assert not accepted(before)
    assert accepted(token())


def test_the_command_rotates_and_says_so(directory: Path, database: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before = token()
    call_command("rotate_token_keys")
    assert public_keys()["keys"][0]["kid"] in capsys.readouterr().out
    assert accepted(before)
    call_command("rotate_token_keys", "--forget-former")
    assert not accepted(before)


def test_keys_of_the_environment_are_changed_there(monkeypatch: pytest.MonkeyPatch, database: Any) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert len(public_keys()["keys"]) == 1
    with pytest.raises(CommandError, match=KEY_VARIABLE):
        call_command("rotate_token_keys")
