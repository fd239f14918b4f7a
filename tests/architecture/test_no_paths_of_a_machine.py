"""Nothing names a path of somebody's machine: a checkout works wherever it lies."""

import re
from collections.abc import Iterator
from pathlib import Path

TEXTS = {
    ".py",
    ".html",
    ".js",
    ".css",
    ".md",
    ".toml",
    ".json",
    ".sql",
    ".txt",
    ".eml",
    ".cfg",
    ".yml",
    ".yaml",
    ".lock",
}
PLACES = ("platform", "agents", "governance", "templates", "tests", "docs", ".ci")
HOMES = re.compile(r"(?<![\w.$}~*])/(?:home|Users|root)/[\w.-]+/")


def _files(root: Path) -> Iterator[Path]:
    for place in PLACES:
        yield from (file for file in sorted((root / place).rglob("*")) if file.suffix in TEXTS or file.name == "run")
    yield from (file for file in sorted(root.iterdir()) if file.suffix in TEXTS)


def _own_places(root: Path) -> list[str]:
    """Where this very checkout lies. A short path such as /app may well be an address of a page."""
    return [str(place) for place in (root, root.resolve()) if len(place.parts) > 2]


def test_no_file_names_one(root: Path):
    places = _own_places(root)
    found = []
    for file in _files(root):
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        named = [place for place in places if place in text] + [match.group() for match in HOMES.finditer(text)]
        found += [f"{file.relative_to(root)} names {name}" for name in named]
    assert not found, (
        f"{'; '.join(found)}. Build paths from the root of the checkout or the data directory, and write "
        "examples as `<data dir>/…`."
    )


def test_the_guard_sees():
    assert HOMES.search("open('/home/" + "ann/remit/var')")
    assert not HOMES.search("https://example.org/home/page/one")
