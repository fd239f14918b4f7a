"""The tree as the guards see it: the modules of the product, parsed once."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("platform", "agents", "governance")


@dataclass(frozen=True)
class Source:
    """One module of the product. `name` is its path from the root of the repository."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return len(self.text.splitlines())

    @property
    def is_migration(self) -> bool:
        """Whether it is written by (and for) the migrations."""
        return "/migrations/" in self.name


def _sources() -> list[Source]:
    files = [ROOT / "manage.py", *(file for place in PRODUCT for file in sorted((ROOT / place).rglob("*.py")))]
    texts = ((file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files)
    return [Source(name, text, ast.parse(text, name)) for name, text in texts]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of `manage.py`."""
    return ROOT


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of the product, `manage.py` and the migrations included."""
    found = _sources()
    assert len(found) > 100, "The guards see almost no code: mend `_sources` in tests/architecture/conftest.py."
    return found
