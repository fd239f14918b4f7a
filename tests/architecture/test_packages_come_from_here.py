"""Our packages come from this repository, and nothing installed beside us has their names."""

import importlib
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

OURS = ("config", "console", "foundation", "agents", "governance")
HOMES = ("platform", "agents", "governance")
KEPT_OUT = {
    "openai-agents": "it installs a package called `agents`",
    "pymerkle": "its licence (GPL) does not go with ours",
    "django-scim2": "it is not kept up",
    "django-unfold": "it breaks the content security policy",
    "litellm": "a model is reached through `openai` alone",
}


@pytest.mark.parametrize("name", OURS)
def test_it_is_ours(name: str, root: Path):
    found = Path(str(importlib.import_module(name).__file__)).resolve()
    assert any(found.is_relative_to(root / home) for home in HOMES), (
        f"`import {name}` gives {found}: uninstall the distribution that brings a package of this name, and start "
        "from this repository."
    )


@pytest.mark.parametrize("name", OURS)
def test_no_distribution_has_its_name(name: str):
    others = [one for one in packages_distributions().get(name, []) if one != "remit"]
    assert not others, f"{', '.join(others)} installs a package called {name}: keep it out of this environment."


def test_the_locks_hold_nothing_that_was_kept_out(root: Path):
    for lock in sorted(root.glob("*.lock")):
        locked = set(re.findall(r"^([a-z0-9._-]+)(?:\[.*\])?==", lock.read_text(), re.MULTILINE))
        assert locked, f"{lock.name} locks nothing that this guard can read: mend the expression above."
        for name in sorted(locked & KEPT_OUT.keys()):
            pytest.fail(f"{lock.name} locks {name}, which stays out: {KEPT_OUT[name]}.")
