"""Keys of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.secrets.sealing import KEY_VARIABLE, forget_keys


@pytest.fixture(autouse=True)
def keys(settings, monkeypatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    settings.KEYS_DIR = tmp_path / "keys"
    forget_keys()
    yield settings.KEYS_DIR
    forget_keys()
