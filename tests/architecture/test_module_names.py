"""A module is named after what it holds: names that fit anything end up holding everything."""

from pathlib import Path

EMPTY_NAMES = {
    "utils", "util", "helpers", "helper", "common", "core", "extras", "extra", "misc", "signals", "constants", "lib",
    "shared", "stuff",
}  # fmt: skip


def test_names_say_what_is_inside(root: Path):
    found = sorted(
        path.relative_to(root).as_posix()
        for place in ("platform", "agents", "governance", "tests")
        for path in (root / place).rglob("*")
        if (path.suffix == ".py" or path.is_dir()) and path.stem.lower() in EMPTY_NAMES
    )
    assert not found, (
        f"Rename or take apart {', '.join(found)}: give each piece to the module whose noun it serves. Signals are "
        "not used at all: a service says what it does."
    )
