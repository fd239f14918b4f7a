"""The top level of the repository is the one that was agreed: whoever opens it sees the whole house."""

from pathlib import Path

FILES = {"manage.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}
FOLDERS = {"platform", "agents", "governance", "templates", "tests", "docs"}
MADE_HERE = {"var", "__pycache__"}  # by `up` and by Python; git ignores both


def test_nothing_else_stands_at_the_top(root: Path):
    strange = sorted(
        entry.name
        for entry in root.iterdir()
        if not entry.name.startswith(".")
        and entry.name not in (FILES | FOLDERS | MADE_HERE)
        and not (entry.is_file() and entry.suffix == ".lock")
    )
    assert not strange, (
        f"The top level holds {', '.join(strange)}: code belongs into platform/, agents/ or governance/, papers into "
        "docs/, programs for continuous integration into .ci/."
    )


def test_everything_agreed_is_there(root: Path):
    missing = sorted(name for name in FILES | FOLDERS if not (root / name).exists())
    assert not missing, f"The top level lacks {', '.join(missing)}: write it, or change this list with the plan."
