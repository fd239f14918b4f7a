"""Passwords on the operator's list of stolen ones are refused; a list of any length is searched without reading it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError

from foundation.identity.passwords import is_listed

STOLEN = "correct horse battery staple 1"


def digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "stolen.txt"
    digests = {digest(str(number)) for number in range(2000)} | {digest(STOLEN)}
    path.write_text("".join(f"{one}:{7 * place**2}\r\n" for place, one in enumerate(sorted(digests))))
    return path


def test_a_stolen_password_is_refused(listing: Path, settings: Any):
    settings.REMIT_BREACHED_PASSWORDS = str(listing)
    with pytest.raises(ValidationError, match="stolen elsewhere"):
        validate_password(STOLEN)
    validate_password(STOLEN + "2")


def test_every_line_is_found_and_nothing_else(listing: Path):
    lines = [line.partition(":")[0] for line in listing.read_text().splitlines()]
    assert all(is_listed(listing, one.lower()) for one in lines)
    assert not any(is_listed(listing, digest(f"not {number}")) for number in range(500))


def test_a_list_that_is_not_there_refuses_to_go_on(tmp_path: Path, settings: Any):
    settings.REMIT_BREACHED_PASSWORDS = str(tmp_path / "none.txt")
    with pytest.raises(ImproperlyConfigured, match=r"none\.txt"):
        validate_password(STOLEN)


def test_without_a_list_the_common_ones_are_refused(settings: Any):
    settings.REMIT_BREACHED_PASSWORDS = ""
    with pytest.raises(ValidationError, match="too common"):
        validate_password("qwertyuiop123")
    validate_password(STOLEN)
